//! A model: its layers and the graph that connects them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::graph::{Graph, Inferred};
use crate::layers::LayerConfig;
use crate::variables::{Sublayer, Variables};
use crate::{Call, Error, Inputs, KerasTensor, Kind, Layer, Result};

/// What kind of model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ModelClass {
    /// Layers in a row.
    Sequential,
    /// A graph of layers.
    Functional,
    /// A layer that was saved by itself, behind its inputs: its variables lie where a model's
    /// layers would.
    Layer,
}

/// A `Sequential` or `Functional` model, whole or as a layer of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Whether it is a row or a graph.
    pub class: ModelClass,
    /// Its layers in the order of the file, input layers and operations included.
    pub layers: Vec<Layer>,
    /// How the layers are connected.
    pub graph: Graph,
}

impl Model {
    /// Reads `{class_name, config}` in Keras 3's form.
    ///
    /// # Errors
    /// [`Error::Config`] where keys are missing or nodes refer to nothing or in a circle.
    pub fn from_config(object: &Value) -> Result<Self> {
        let class = match object.get("class_name").and_then(Value::as_str) {
            Some("Sequential") => ModelClass::Sequential,
            _ => ModelClass::Functional,
        };
        let config = object.get("config").unwrap_or(&Value::Null);
        let name = config.get("name").and_then(Value::as_str).unwrap_or("model").to_owned();
        let objects = config
            .get("layers")
            .and_then(Value::as_array)
            .ok_or_else(|| Error::config(&name, "has no list of layers"))?;
        let layers: Vec<Layer> = objects
            .iter()
            .map(Layer::from_config)
            .collect::<Result<_>>()
            .map_err(|e| within(&name, e))?;
        let graph = match class {
            ModelClass::Sequential => Graph::row(&layers),
            _ => Graph::from_config(config, objects, &layers)?,
        };
        Ok(Self { name, class, layers, graph })
    }

    /// Its config in Keras 3's form, without its name: what [`from_config`](Self::from_config)
    /// reads.
    pub(crate) fn to_config(&self) -> Value {
        let inferred = self.infer(None).unwrap_or_default();
        if self.class != ModelClass::Sequential {
            return self.graph.to_config(&self.layers, &inferred).into();
        }
        let layers: Vec<Value> = self.layers.iter().map(Layer::to_config).collect();
        let mut config = serde_json::Map::new();
        config.insert("layers".into(), layers.into());
        if let Some(Kind::InputLayer(input)) = self.layers.first().map(|layer| &layer.kind) {
            config.insert("build_input_shape".into(), serde_json::json!(input.batch_shape));
        }
        config.into()
    }

    /// Puts its layers in the order in which Keras 3 lists them.
    pub(crate) fn sort_layers(&mut self) {
        let order = match self.class {
            ModelClass::Functional => self.graph.order(&self.layers),
            ModelClass::Sequential | ModelClass::Layer => return,
        };
        let mut layers: Vec<Option<Layer>> =
            std::mem::take(&mut self.layers).into_iter().map(Some).collect();
        let mut places = vec![0; layers.len()];
        for (new, old) in order.iter().enumerate() {
            self.layers.extend(layers.get_mut(*old).and_then(Option::take));
            if let Some(place) = places.get_mut(*old) {
                *place = new;
            }
        }
        for node in &mut self.graph.nodes {
            node.layer = places.get(node.layer).copied().unwrap_or(node.layer);
        }
    }

    /// Its operations that Keras 3 has not, or not with these arguments: the name of the layer, that
    /// of the operation, and why.
    pub(crate) fn not_in_keras3(&self) -> Vec<(String, String, String)> {
        let of_layer = |(at, layer): (usize, &Layer)| {
            let Kind::Operation(operation) = &layer.kind else { return None };
            let calls = self.graph.nodes.iter().filter(|node| node.layer == at);
            let calls: Vec<_> = calls.map(|node| &node.inputs).collect();
            let reason = match operation.module() {
                None => "the operation".to_owned(),
                Some(_) => operation.to_config(&calls).err()?,
            };
            Some((layer.base.name.clone(), operation.operation.clone(), reason))
        };
        self.layers.iter().enumerate().filter_map(of_layer).collect()
    }

    /// The layer of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names there are.
    pub fn layer(&self, name: &str) -> Result<&Layer> {
        self.layers.iter().find(|l| l.base.name == name).ok_or_else(|| Error::NotFound {
            what: "layer",
            name: name.to_owned(),
            known: self.layers.iter().map(|l| l.base.name.clone()).collect(),
        })
    }

    /// The shapes of every tensor when the model is called with these; its own inputs if `None`.
    pub fn infer(&self, inputs: Option<&Inputs>) -> Result<Inferred> {
        self.graph.infer(&self.layers, inputs)
    }

    /// The layers as `model.layers` lists them: a `Sequential` hides its input, and operations
    /// are nodes, not layers, of a weights file.
    pub fn listed_layers(&self) -> impl Iterator<Item = (usize, &Layer)> {
        let sequential = self.class == ModelClass::Sequential;
        self.layers
            .iter()
            .enumerate()
            .filter(move |(_, layer)| !(sequential && matches!(layer.kind, Kind::InputLayer(_))))
    }

    /// What each layer owns, called as in this graph. A layer whose inputs are not known (it
    /// stands behind a class that nobody knows) or do not fit has `None`.
    pub fn layer_variables(&self, inferred: &Inferred) -> Vec<Option<Variables>> {
        let owned = |(i, layer): (usize, &Layer)| Self::variables_of(i, layer, inferred).ok();
        self.layers.iter().enumerate().map(owned).collect()
    }

    fn variables_of(index: usize, layer: &Layer, inferred: &Inferred) -> Result<Variables> {
        let unknown =
            || Error::NoShape { layer: layer.base.name.clone(), class: layer.base.class.clone() };
        match inferred.first_call(index) {
            Some(inputs) => layer.variables(inputs),
            // A layer that needs no weights does not look at its inputs.
            None => layer.variables(&Inputs::default()).map_err(|_| unknown()),
        }
    }

    /// Its variables as the files keep them, and the layers whose variables are not known.
    pub(crate) fn owned(&self, inferred: &Inferred) -> (Variables, Vec<(String, String)>) {
        let mut names = StoreNames::default();
        let mut sublayers = Vec::new();
        let mut unknown = Vec::new();
        for (i, layer) in self.listed_layers() {
            if matches!(layer.kind, Kind::Operation(_)) {
                continue;
            }
            let path = match (self.class, &layer.kind) {
                (ModelClass::Layer, Kind::FeatureSpace(_)) => String::new(),
                _ => format!("layers/{}", names.next(&layer.base.class)),
            };
            let variables = Self::variables_of(i, layer, inferred).unwrap_or_else(|error| {
                unknown.push((layer.base.name.clone(), error.to_string()));
                Variables::none()
            });
            sublayers.push(Sublayer::new(path, layer, variables));
        }
        (Variables { sublayers, ..Variables::none() }, unknown)
    }
}

fn within(name: &str, error: Error) -> Error {
    match error {
        Error::Config { path, reason } => Error::Config { path: format!("{name}/{path}"), reason },
        other => other,
    }
}

/// Keras stores the layers of a model under their snake-case class names, counted.
#[derive(Default)]
pub(crate) struct StoreNames(BTreeMap<String, usize>);

impl StoreNames {
    /// The next name for a layer of that class: `conv2d`, `conv2d_1`...
    pub(crate) fn next(&mut self, class: &str) -> String {
        let name = snake_case(class);
        let seen = self.0.entry(name.clone()).or_default();
        let unique = if *seen == 0 { name } else { format!("{name}_{seen}") };
        *seen = seen.saturating_add(1);
        unique
    }
}

/// `SeparableConv2D` to `separable_conv2d`. Source: `keras/src/utils/naming.py`, Keras 3.15.
pub(crate) fn snake_case(class: &str) -> String {
    // `(.)([A-Z][a-z]+)`, then `([a-z])([A-Z])`, each as `\1_\2`; non-word characters go first.
    let chars: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut words = String::new();
    let mut last_break = 0;
    for (i, c) in chars.iter().enumerate() {
        let next_lower = chars.get(i.saturating_add(1)).is_some_and(char::is_ascii_lowercase);
        // A match uses up the character before it: the first letter cannot open a word.
        if i > last_break && c.is_ascii_uppercase() && next_lower {
            words.push('_');
            last_break = i;
        }
        words.push(*c);
    }
    let mut out = String::new();
    let mut before = None;
    for c in words.chars() {
        if c.is_ascii_uppercase() && before.is_some_and(|b: char| b.is_ascii_lowercase()) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        before = Some(c);
    }
    out
}

impl LayerConfig for Model {
    /// The outputs of the graph for these inputs.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let inferred = self.infer(Some(call.inputs))?;
        let outputs = inferred.outputs(&self.graph);
        outputs.ok_or_else(|| Error::NoShape {
            layer: call.base.name.clone(),
            class: call.base.class.clone(),
        })
    }

    /// Those of its layers, in their order.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let inferred = self.infer(Some(call.inputs))?;
        let (variables, unknown) = self.owned(&inferred);
        match unknown.into_iter().next() {
            None => Ok(variables),
            Some((layer, reason)) => Err(call.error(format!("{layer}: {reason}"))),
        }
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        self.layers.iter().map(|l| ("layers", l)).collect()
    }
}

#[test]
fn store_names_are_keras_s() {
    let cases = [
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("LSTM", "lstm"),
        ("PReLU", "p_re_lu"),
        ("ReLU", "re_lu"),
        ("SeparableConv2D", "separable_conv2d"),
        ("ConvLSTM2D", "conv_lstm2d"),
        ("GRU", "gru"),
        ("SimpleRNN", "simple_rnn"),
        ("BatchNormalization", "batch_normalization"),
        ("GroupedQueryAttention", "grouped_query_attention"),
    ];
    for (class, name) in cases {
        assert_eq!(snake_case(class), name, "{class}");
    }
    let mut names = StoreNames::default();
    assert_eq!([names.next("Dense"), names.next("Dense")], ["dense", "dense_1"]);
}
