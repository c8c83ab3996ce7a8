//! A model of older Keras as Keras 3 has it.

use std::collections::HashSet;

use serde_json::Value;

use crate::source::dialect::Generation;
use crate::{Arg, Kind, Layer, Model, UnknownObject};

/// What Keras 3 has in the place of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Today {
    /// The layer itself.
    Same,
    /// Another class that computes the same and has the same variables.
    As(Kind),
    /// Nothing that computes the same: what it is that Keras 3 has not.
    Gone(&'static str),
}

impl Today {
    /// A class of older Keras.
    pub(crate) const CLASS: Self = Self::Gone("the class");
}

/// What becomes of a model on its way into Keras 3.
pub(crate) struct Renewal {
    generation: Generation,
    /// What Keras 3 has nothing for, with its place.
    pub gone: Vec<UnknownObject>,
    /// What Keras 3 cannot say, though it predicts the same.
    pub lost: Vec<String>,
}

impl Renewal {
    pub(crate) const fn new(generation: Generation) -> Self {
        Self { generation, gone: Vec::new(), lost: Vec::new() }
    }

    /// Puts what Keras 3 has in the place of what only older Keras has, in the layer and in all
    /// that it holds; layers come in the order in which Keras 3 lists them.
    pub(crate) fn layer(&mut self, layer: &mut Layer, outer: &str) {
        let name = &layer.base.name;
        let path = if outer.is_empty() { name.clone() } else { format!("{outer}/{name}") };
        match layer.kind.config().today() {
            Today::Same => {}
            Today::As(kind) => {
                layer.kind = kind;
                if let Some(class) = layer.kind.class() {
                    class.clone_into(&mut layer.base.class);
                }
            }
            Today::Gone(what) => self.gone(&path, "layer", &layer.base.class, what),
        }
        if let Kind::Custom(_) = layer.kind {
            // `tf.keras` wrote `package>Name`.
            let class = layer.base.class.rsplit('>').next().unwrap_or_default().to_owned();
            layer.base.class = class;
        }
        layer.base.stored = None;
        // Keras 3 takes it for a separator of paths.
        layer.base.name = layer.base.name.replace('/', "_");
        match &mut layer.kind {
            Kind::Model(model) => self.model(model, &path),
            Kind::TimeDistributed(outer) => self.layer(&mut outer.layer, &path),
            Kind::Wrapper(outer) => self.layer(&mut outer.layer, &path),
            Kind::SpectralNormalization(outer) => self.layer(&mut outer.layer, &path),
            Kind::Bidirectional(outer) => {
                self.layer(&mut outer.layer, &path);
                outer.backward_layer.iter_mut().for_each(|inner| self.layer(inner, &path));
            }
            Kind::RNN(outer) => self.layer(&mut outer.cell, &path),
            Kind::StackedRNNCells(outer) => {
                outer.cells.iter_mut().for_each(|inner| self.layer(inner, &path));
            }
            Kind::Pipeline(outer) => {
                outer.layers.iter_mut().for_each(|inner| self.layer(inner, &path));
            }
            _ => {}
        }
    }

    fn model(&mut self, model: &mut Model, path: &str) {
        for (layer, operation, reason) in model.not_in_keras3() {
            self.gone(&format!("{path}/{layer}"), "operation", &operation, &reason);
        }
        if self.generation < Generation::Keras3 {
            self.calls(model, path);
        }
        model.layers.iter_mut().for_each(|inner| self.layer(inner, path));
        let mut names = HashSet::new();
        for layer in &mut model.layers {
            while !names.insert(layer.base.name.clone()) {
                layer.base.name.push('_');
            }
        }
        model.sort_layers();
    }

    /// Calls with `training`: what the file says held until Keras 3, where the caller has the last
    /// word.
    fn calls(&mut self, model: &Model, path: &str) {
        for node in &model.graph.nodes {
            let training = node.inputs.named("training", usize::MAX).and_then(Arg::value);
            let (Some(training), Some(layer)) =
                (training.and_then(Value::as_bool), model.layers.get(node.layer))
            else {
                continue;
            };
            let place = format!("{path}/{}", layer.base.name);
            if training {
                self.gone(&place, "layer", &layer.base.class, "a call with training=True");
            } else {
                self.lost.push(format!("{place} is called with training=False: not in Keras 3"));
            }
        }
    }

    fn gone(&mut self, path: &str, kind: &'static str, name: &str, what: &str) {
        let name = format!("{name} ({what})");
        self.gone.push(UnknownObject { path: path.to_owned(), kind, name });
    }
}
