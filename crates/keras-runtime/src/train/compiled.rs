//! What a model was compiled with, by its outputs. Source: `keras/src/trainers/compile_utils.py`,
//! Keras 3.15.

use std::collections::HashMap;

use keras_model::compile::{self, MetricKind, PerOutput};
use keras_model::source::dialect::Generation;
use keras_model::{Arg, Kind, ModelFile, TensorRef};

use super::{CustomCode, Loss, Metric};
use crate::{Error, Model, Result};

/// What a model was compiled with, by its outputs.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The outputs, in the order of the model.
    outputs: Outputs,
    /// In the order in which Keras adds and reports them.
    pub(super) losses: Vec<CompiledLoss>,
    /// Those that ignore the weights of samples, then the others; each by the order of the outputs.
    pub(super) metrics: Vec<CompiledMetric>,
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

/// A metric of an output.
#[derive(Debug)]
pub(super) struct CompiledMetric {
    /// The number of the output.
    pub(super) output: usize,
    pub(super) metric: Metric,
    /// Whether the samples' weights count.
    pub(super) weighted: bool,
    /// Its name in logs.
    pub(super) name: String,
}

impl Compiled {
    /// What the file says; nothing if the model was not compiled.
    ///
    /// # Errors
    /// [`Error::Value`] if losses do not fit the outputs.
    pub(crate) fn new(file: &ModelFile, codes: &CustomCode) -> Result<Self> {
        let outputs = Outputs::of(file);
        let (mut losses, mut metrics) = (Vec::new(), Vec::new());
        if let Some(compile) = &file.compile {
            let of_outputs = outputs.spread("loss", &compile.loss)?;
            let weights = outputs.spread("loss_weights", &compile.loss_weights)?;
            for (output, (loss, weight)) in of_outputs.iter().zip(&weights).enumerate() {
                // Of several losses of one output Keras takes the first.
                if let Some(loss) = loss.first() {
                    let loss = Loss::with_code(loss, &codes.losses);
                    let weight = weight.first().map(|weight| **weight);
                    losses.push(CompiledLoss { output, loss, weight });
                }
            }
            // Before Keras 3 a plain list of metrics held for each output.
            let is_keras3 = file.generation == Generation::Keras3;
            let own = outputs.spread_metrics("metrics", &compile.metrics, is_keras3)?;
            let weighted =
                outputs.spread_metrics("weighted_metrics", &compile.weighted_metrics, is_keras3)?;
            let mut names = Names::default();
            for (all, weighted) in [(own, false), (weighted, true)] {
                for (output, config) in
                    all.iter().enumerate().flat_map(|(at, all)| all.iter().map(move |m| (at, *m)))
                {
                    if matches!(config.kind, MetricKind::Mean {} | MetricKind::Sum {}) {
                        let name = config.kind.class_name().to_owned();
                        let reason = "takes values, not targets and predictions".to_owned();
                        return Err(Error::Training { what: "metric", name, reason });
                    }
                    let metric = Metric::with_code(config, &codes.metrics);
                    let name = names.next(outputs.prefix(output), &metric.name(), weighted);
                    metrics.push(CompiledMetric { output, metric, weighted, name });
                }
            }
        }
        Ok(Self { outputs, losses, metrics })
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

impl Model {
    /// Names of the outputs, in their order: the keys of the dict that the model gives, else the names of
    /// the layers that make them (`model.output_names`). Targets may be [named](crate::Targets::named) so.
    ///
    /// ```
    /// let model = keras_runtime::load_model("../../fixtures/models/k3_multi_io.keras")?;
    /// assert_eq!(model.output_names(), ["price", "kind"]);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    pub fn output_names(&self) -> Vec<String> {
        Outputs::of(&self.file).names
    }
}

/// The outputs of a model, as its author may call them.
#[derive(Debug)]
struct Outputs {
    /// Where the model gives a dict its keys, else the names of the layers.
    names: Vec<String>,
    /// Names of the layers that make them.
    layers: Vec<String>,
}

impl Outputs {
    fn of(file: &ModelFile) -> Self {
        let Kind::Model(model) = &file.root.kind else {
            return Self { names: Vec::new(), layers: Vec::new() };
        };
        let name = |reference: &TensorRef| {
            let node = model.graph.nodes.get(reference.node);
            let layer = node.and_then(|node| model.layers.get(node.layer));
            layer.map(|layer| layer.base.name.clone()).unwrap_or_default()
        };
        let mut references = Vec::new();
        model.graph.outputs.iter().for_each(|a| a.tensors(&mut references));
        let layers: Vec<String> = references.into_iter().map(name).collect();
        let names = match model.graph.outputs.as_slice() {
            [Arg::Dict(entries)] if entries.len() == layers.len() => {
                let mut keys: Vec<String> = entries.iter().map(|(key, _)| key.clone()).collect();
                keys.sort();
                keys
            }
            _ => layers.clone(),
        };
        Self { names, layers }
    }

    /// The number of the output with that name.
    fn find(&self, what: &str, name: &str) -> Result<usize> {
        let in_list = |list: &[String]| list.iter().position(|own| own == name);
        in_list(&self.names).or_else(|| in_list(&self.layers)).ok_or_else(|| {
            Error::Value(format!("{what} is for {name:?}, which is no output: {:?}", self.names))
        })
    }

    /// What stands before the names of an output's metrics.
    fn prefix(&self, output: usize) -> Option<&str> {
        self.names.get(output).filter(|_| self.names.len() > 1).map(String::as_str)
    }

    /// The metrics of each output.
    fn spread_metrics<'c>(
        &self,
        what: &str,
        all: &'c PerOutput<compile::Metric>,
        is_keras3: bool,
    ) -> Result<Vec<Vec<&'c compile::Metric>>> {
        let count = self.names.len();
        let is_plain =
            |items: &[PerOutput<_>]| items.iter().all(|i| matches!(i, PerOutput::One(_)));
        match all {
            _ if count == 1 => Ok(vec![all.flat()]),
            PerOutput::List(items) if items.is_empty() || !is_keras3 && is_plain(items) => {
                Ok(vec![all.flat(); count])
            }
            all => self.spread(what, all),
        }
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

/// Names of metrics in logs, each once: `CompileMetrics.result`.
#[derive(Default)]
struct Names(HashMap<String, usize>);

impl Names {
    fn next(&mut self, prefix: Option<&str>, name: &str, weighted: bool) -> String {
        let full = |name: &str| prefix.map_or(name.to_owned(), |prefix| format!("{prefix}_{name}"));
        let mut own = full(name);
        if weighted && self.0.contains_key(&own) {
            own = full(&format!("weighted_{name}"));
        }
        let count = self.0.entry(own.clone()).or_default();
        *count += 1;
        if *count == 1 { own } else { format!("{own}_{}", *count - 1) }
    }
}

#[test]
fn names_are_given_once() {
    let mut names = Names::default();
    let mut next = |name, weighted| names.next(Some("out"), name, weighted);
    assert_eq!(next("mae", false), "out_mae");
    assert_eq!(next("mae", false), "out_mae_1");
    assert_eq!(next("mae", true), "out_weighted_mae");
    assert_eq!(next("mae", true), "out_weighted_mae_1");
    assert_eq!(next("auc", true), "out_auc");
}
