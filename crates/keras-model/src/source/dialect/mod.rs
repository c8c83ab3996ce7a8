//! Every dialect of Keras's configs, rewritten into Keras 3's form.
//!
//! Behind this module only one form exists: Keras 3 class names and keys, `{class_name, config}`
//! objects for initializers, regularizers and constraints, `{args, kwargs}` nodes whose tensors
//! count the calls of a layer from 0. Each kind of rewrite is noted once for the report.

mod graph;
mod keras1;
mod keras2;
mod objects;
mod stored;
mod tf_functions;
mod tf_ops;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// The functions of TensorFlow (without `tf.`) that are read as operations, with the name of each in
/// [`OPERATIONS`](crate::ops::OPERATIONS).
pub fn tensorflow_functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    tf_functions::FUNCTIONS.iter().map(|(function, operation, _)| (*function, *operation))
}

/// Module of Keras 3's layers; it tells the layer `Add` from the operation `Add`.
const LAYERS_MODULE: &str = "keras.layers";

/// Which Keras wrote a config, as far as the spelling depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Generation {
    /// Keras 1.
    Keras1,
    /// Keras 2 and `tf.keras` up to TensorFlow 2.15, `tf_keras`.
    Keras2,
    /// Keras 3.
    Keras3,
}

impl Generation {
    /// By the `keras_version` of the file, else by what the config looks like.
    pub fn detect(version: Option<&str>, config: &Value) -> Self {
        match version.and_then(|v| v.trim().chars().next()) {
            Some('1' | '0') => return Self::Keras1,
            Some('2') => return Self::Keras2,
            Some(c) if c.is_ascii_digit() => return Self::Keras3,
            _ => {}
        }
        let mut found = Self::Keras2;
        visit_keys(config, &mut |key| match key {
            "border_mode" | "nb_filter" | "W_regularizer" | "inner_init" | "input_dtype" => {
                found = Self::Keras1;
            }
            "batch_shape" | "registered_name" if found != Self::Keras1 => found = Self::Keras3,
            _ => {}
        });
        found
    }
}

fn visit_keys(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                visit(key);
                visit_keys(inner, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|v| visit_keys(v, visit)),
        _ => {}
    }
}

/// `2.13.1` as `(2, 13)`.
pub(crate) fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The rewriting of one document.
pub struct Dialect {
    generation: Generation,
    version: Option<(u32, u32)>,
    is_theano: bool,
    data_format: Option<&'static str>,
    notes: BTreeSet<&'static str>,
}

impl Dialect {
    /// For a document that this generation wrote; more exactly this version, with this backend,
    /// as far as they are known.
    pub fn new(generation: Generation, version: Option<&str>, backend: Option<&str>) -> Self {
        Self {
            generation,
            version: version.and_then(major_minor),
            is_theano: backend == Some("theano") && generation < Generation::Keras3,
            data_format: None,
            notes: BTreeSet::new(),
        }
    }

    /// Rewrites a whole model in place.
    ///
    /// # Errors
    /// [`Error::Config`] where the structure is not what any Keras writes.
    pub fn model(&mut self, model: &mut Value) -> Result<()> {
        if self.generation == Generation::Keras1 {
            self.data_format = keras1::data_format(model);
        }
        self.object(model)
    }

    fn version_before(&self, major: u32, minor: u32) -> bool {
        self.version.is_some_and(|v| v < (major, minor))
    }

    /// What was rewritten, each kind of rewrite once.
    pub fn into_notes(self) -> Vec<String> {
        self.notes.into_iter().map(str::to_owned).collect()
    }

    fn note(&mut self, text: &'static str) {
        self.notes.insert(text);
    }

    /// Rewrites a model or layer object `{class_name, config}` in place.
    fn object(&mut self, object: &mut Value) -> Result<()> {
        let Some(map) = object.as_object_mut() else {
            return Err(Error::config("model", format!("expected a layer object, found {object}")));
        };
        // `tf.keras` wrote "Custom>Name" for registered classes.
        let class = map.get("class_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        match class.as_str() {
            "" => Err(Error::config("model", "a layer has no class_name")),
            "Sequential" => self.sequential(map),
            "Functional" | "Model" => self.functional(map),
            _ if is_graph(map) => self.functional_subclass(map),
            _ => self.layer(map),
        }
    }

    fn sequential(&mut self, map: &mut Map<String, Value>) -> Result<()> {
        // Until 2.1 the config was the bare list of layers.
        if let Some(layers @ Value::Array(_)) = map.get_mut("config") {
            let layers = layers.take();
            let name = map.get("name").cloned().unwrap_or_else(|| "sequential".into());
            map.insert("config".into(), serde_json::json!({"name": name, "layers": layers}));
            self.note("Sequential config: a bare list of layers became {name, layers}");
        }
        let config = config_of(map, "Sequential")?;
        let build_shape = config.get("build_input_shape").cloned();
        let layers = layers_of(config, "Sequential")?;
        if layers.first().and_then(|l| l.get("class_name")).and_then(Value::as_str) == Some("Merge")
        {
            return self.merge_first(map);
        }
        keras2::split_input(layers, build_shape.as_ref());
        for layer in layers {
            self.object(layer)?;
        }
        Ok(())
    }

    /// Keras 1: a Sequential whose first layer is a `Merge` of whole branches is a graph.
    fn merge_first(&mut self, map: &mut Map<String, Value>) -> Result<()> {
        *map = keras1::merge_to_functional(map)?;
        self.note("Sequential that starts with Merge: became a Functional graph");
        self.functional(map)
    }

    fn functional(&mut self, map: &mut Map<String, Value>) -> Result<()> {
        map.insert("class_name".into(), "Functional".into());
        let config = config_of(map, "Functional")?;
        graph::rewrite(config, self)?;
        for layer in layers_of(config, "Functional")? {
            self.object(layer)?;
        }
        Ok(())
    }

    /// A subclass of `keras.Model` that was built as a graph keeps the graph in its config.
    fn functional_subclass(&mut self, map: &mut Map<String, Value>) -> Result<()> {
        self.note("a subclass of Model with a graph in its config: read as Functional");
        self.functional(map)
    }

    fn layer(&mut self, map: &mut Map<String, Value>) -> Result<()> {
        let class = map.get("class_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !map.get("config").is_some_and(Value::is_object) {
            map.insert("config".into(), Value::Object(Map::new()));
        }
        let class = match self.generation {
            Generation::Keras1 => {
                let config = config_of(map, &class)?;
                let merge = if class == "Merge" { keras1::merge(config) } else { None };
                let class = merge.unwrap_or_else(|| keras1::class(&class)).to_owned();
                keras1::config(&class, config, self);
                class
            }
            _ => class,
        };
        let class = keras2::class(&class).to_owned();
        map.insert("class_name".into(), class.clone().into());
        if self.generation < Generation::Keras3 {
            keras2::config(&class, config_of(map, &class)?, self);
            // There were no operations then that a layer's name could mean.
            map.insert("module".into(), LAYERS_MODULE.into());
        }
        if tf_ops::is_op(&class) {
            tf_ops::rewrite(map, self)?;
        }
        let config = config_of(map, &class)?;
        if let Some(form) = stored::form(&class, config, self) {
            self.note("weights of an old layout are rearranged into today's");
            config.insert("stored".into(), serde_json::to_value(form).unwrap_or_default());
        }
        config.remove("consume_less");
        objects::rewrite(config, self);
        // Layers inside: wrapped layers, cells, layers in the place of an activation.
        for (key, value) in config.iter_mut() {
            self.nested(key, value)?;
        }
        Ok(())
    }

    fn nested(&mut self, key: &str, value: &mut Value) -> Result<()> {
        let holds_layers = matches!(
            key,
            "layer"
                | "backward_layer"
                | "cell"
                | "cells"
                | "layers"
                | "forward_layer"
                | "activation"
        );
        match value {
            // Those of a `FeatureSpace`, by name.
            Value::Object(features) if key == "features" => {
                let layers = features.values_mut().filter_map(|f| f.pointer_mut(PREPROCESSOR));
                layers.into_iter().try_for_each(|layer| self.object(layer))
            }
            Value::Object(map)
                if holds_layers && map.get("config").is_some_and(Value::is_object) =>
            {
                self.object(value)
            }
            Value::Object(map)
                if holds_layers && map.get("config").is_some_and(Value::is_array) =>
            {
                self.object(value)
            }
            Value::Array(items) if holds_layers => {
                items.iter_mut().try_for_each(|item| self.nested(key, item))
            }
            _ => Ok(()),
        }
    }
}

/// Where a `Feature` has the layer that prepares it.
const PREPROCESSOR: &str = "/config/preprocessor";

fn is_graph_object(object: &Value) -> bool {
    object.as_object().is_some_and(is_graph)
}

/// Whether the config holds a graph: layers with inbound nodes.
fn is_graph(map: &Map<String, Value>) -> bool {
    let config = map.get("config");
    let has = |key| config.and_then(|c| c.get(key)).is_some();
    has("layers") && has("input_layers") && has("output_layers")
}

fn config_of<'a>(
    map: &'a mut Map<String, Value>,
    class: &str,
) -> Result<&'a mut Map<String, Value>> {
    map.get_mut("config")
        .and_then(Value::as_object_mut)
        .ok_or_else(|| Error::config(class, "has no config object"))
}

fn layers_of<'a>(config: &'a mut Map<String, Value>, class: &str) -> Result<&'a mut Vec<Value>> {
    config
        .get_mut("layers")
        .and_then(Value::as_array_mut)
        .ok_or_else(|| Error::config(class, "has no list of layers"))
}

/// Moves a value to another key; the new key wins if both are there.
fn rename(config: &mut Map<String, Value>, old: &str, new: &str) -> bool {
    let Some(value) = config.remove(old) else { return false };
    config.entry(new).or_insert(value);
    true
}
