//! What a model was compiled with, by its outputs. Source: `keras/src/trainers/compile_utils.py`,
//! Keras 3.15.

use keras_model::compile::PerOutput;
use keras_model::{Arg, Kind, ModelFile, TensorRef};

use super::{Codes, Loss};
use crate::{Error, Result};

/// What a model was compiled with, by its outputs.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The outputs, in the order of the model.
    outputs: Outputs,
    /// In the order in which Keras adds and reports them.
    pub(super) losses: Vec<CompiledLoss>,
}

/// A loss of an output.
#[derive(Debug)]
pub(super) struct CompiledLoss {
    /// The number of the output.
    pub(super) output: usize,
    pub(super) loss: Loss,
    /// What it counts for in the sum.
    pub(super) weight: Option<f64>,
}

impl Compiled {
    /// What the file says; nothing if the model was not compiled.
    ///
    /// # Errors
    /// [`Error::Value`] if losses do not fit the outputs.
    pub(crate) fn new(file: &ModelFile, codes: &Codes) -> Result<Self> {
        let outputs = Outputs::of(file);
        let mut losses = Vec::new();
        if let Some(compile) = &file.compile {
            let of_outputs = outputs.spread("loss", &compile.loss)?;
            let weights = outputs.spread("loss_weights", &compile.loss_weights)?;
            for (output, (loss, weight)) in of_outputs.iter().zip(&weights).enumerate() {
                // Of several losses of one output Keras takes the first.
                if let Some(loss) = loss.first() {
                    let loss = Loss::with_code(loss, codes);
                    let weight = weight.first().map(|weight| **weight);
                    losses.push(CompiledLoss { output, loss, weight });
                }
            }
        }
        Ok(Self { outputs, losses })
    }

    /// How many outputs there are.
    pub(super) fn count(&self) -> usize {
        self.outputs.names.len()
    }

    /// The name of an output.
    pub(super) fn name(&self, output: usize) -> &str {
        self.outputs.names.get(output).map_or("", String::as_str)
    }

    /// The number of the output with that name.
    pub(super) fn output(&self, name: &str) -> Result<usize> {
        self.outputs.find("a target", name)
    }
}

/// The outputs of a model, as its author may call them.
#[derive(Debug)]
struct Outputs {
    /// Names of the layers that make them.
    names: Vec<String>,
    /// Where the model gives a dict, its keys.
    keys: Vec<String>,
}

impl Outputs {
    fn of(file: &ModelFile) -> Self {
        let Kind::Model(model) = &file.root.kind else {
            return Self { names: Vec::new(), keys: Vec::new() };
        };
        let name = |reference: &TensorRef| {
            let node = model.graph.nodes.get(reference.node);
            let layer = node.and_then(|node| model.layers.get(node.layer));
            layer.map(|layer| layer.base.name.clone()).unwrap_or_default()
        };
        let mut references = Vec::new();
        model.graph.outputs.iter().for_each(|a| a.tensors(&mut references));
        let keys = match model.graph.outputs.as_slice() {
            [Arg::Dict(entries)] => {
                let mut keys: Vec<String> = entries.iter().map(|(key, _)| key.clone()).collect();
                keys.sort();
                keys
            }
            _ => Vec::new(),
        };
        Self { names: references.into_iter().map(name).collect(), keys }
    }

    /// The number of the output with that name.
    fn find(&self, what: &str, name: &str) -> Result<usize> {
        let in_list = |list: &[String]| list.iter().position(|own| own == name);
        in_list(&self.names).or_else(|| in_list(&self.keys)).ok_or_else(|| {
            Error::Value(format!("{what} is for {name:?}, which is no output: {:?}", self.names))
        })
    }

    /// What there is for each output: one for all, by their order, or by their names.
    fn spread<'c, T>(&self, what: &str, all: &'c PerOutput<T>) -> Result<Vec<Vec<&'c T>>> {
        let count = self.names.len();
        let mut spread = vec![Vec::new(); count];
        match all {
            PerOutput::None => {}
            PerOutput::One(one) => spread.iter_mut().for_each(|own| own.push(one)),
            PerOutput::List(items) if count == 1 => {
                spread
                    .iter_mut()
                    .for_each(|own| own.extend(items.iter().flat_map(PerOutput::flat)));
            }
            PerOutput::List(items) if items.len() == count => {
                for (own, item) in spread.iter_mut().zip(items) {
                    own.extend(item.flat());
                }
            }
            PerOutput::List(items) => {
                let items = items.len();
                return Err(Error::Value(format!(
                    "{what} has {items} entries, the model {count} outputs: {:?}",
                    self.names
                )));
            }
            PerOutput::Dict(entries) => {
                for (name, item) in entries {
                    let at = self.find(what, name)?;
                    if let Some(own) = spread.get_mut(at) {
                        own.extend(item.flat());
                    }
                }
            }
        }
        Ok(spread)
    }
}
