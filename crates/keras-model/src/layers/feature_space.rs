//! `FeatureSpace`. Source: `keras/src/layers/preprocessing/feature_space.py`, Keras 3.15.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::input_layer::InputLayer;
use super::recurrent::part;
use super::{Base, FEATURE_SPACE, Layer, LayerConfig};
use crate::graph::{Graph, Node, TensorRef};
use crate::model::{ModelClass, StoreNames};
use crate::variables::{Sublayer, Variables};
use crate::{Arg, Call, DType, Dim, Inputs, KerasTensor, Kind, Model, Result, Shape};

/// Columns of a table, each prepared by a layer of its own, side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureSpace {
    /// The columns by name, in the order of the file.
    #[serde(serialize_with = "as_map")]
    pub features: Vec<(String, Feature)>,
    /// One tensor or one for each column.
    pub output_mode: FeatureOutput,
    /// Pairs of columns that are hashed together.
    #[serde(serialize_with = "as_list")]
    pub crosses: Vec<Cross>,
    /// Bins of a cross that says nothing else.
    pub crossing_dim: Option<usize>,
    /// Bins of a hashed column that says nothing else.
    pub hashing_dim: Option<usize>,
    /// Bins of a discretised column that says nothing else.
    pub num_discretization_bins: Option<usize>,
}

/// What comes out of a `FeatureSpace`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureOutput {
    /// All columns in one tensor.
    #[default]
    Concat,
    /// A dict of tensors.
    Dict,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Type of its values.
    pub dtype: DType,
    /// What prepares it.
    pub preprocessor: Layer,
    /// What its values become after that.
    pub output_mode: FeatureEncoding,
}

/// What the values of a column become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureEncoding {
    /// They stay numbers.
    Float,
    /// They stay whole numbers.
    Int,
    /// They become vectors.
    OneHot,
}

/// Columns that are hashed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cross {
    /// Their names.
    pub feature_names: Vec<String>,
    /// Number of bins.
    pub crossing_dim: usize,
    /// `one_hot` or `int`.
    #[serde(default = "one_hot")]
    pub output_mode: FeatureEncoding,
}

const fn one_hot() -> FeatureEncoding {
    FeatureEncoding::OneHot
}

fn as_map<S: serde::Serializer>(
    features: &[(String, Feature)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let object = |feature| part_object("Feature", feature);
    serializer.collect_map(features.iter().map(|(name, feature)| (name, object(feature))))
}

fn as_list<S: serde::Serializer>(crosses: &[Cross], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(crosses.iter().map(|cross| part_object("Cross", cross)))
}

/// A part that has a config, as Keras writes what it does not export.
fn part_object(class: &str, part: &impl Serialize) -> Value {
    json!({"module": FEATURE_SPACE, "class_name": class, "config": part, "registered_name": class})
}

impl<'de> Deserialize<'de> for FeatureSpace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// `{class_name, config}` around a feature or a cross.
        #[derive(Deserialize)]
        struct Object {
            config: Value,
        }
        #[derive(Deserialize)]
        struct Parts {
            features: Map<String, Value>,
            #[serde(default)]
            output_mode: FeatureOutput,
            #[serde(default)]
            crosses: Option<Vec<Object>>,
            #[serde(default)]
            crossing_dim: Option<usize>,
            #[serde(default)]
            hashing_dim: Option<usize>,
            #[serde(default)]
            num_discretization_bins: Option<usize>,
        }
        let parts: Parts = part(&Value::deserialize(deserializer)?)?;
        let feature = |(name, object): (String, Value)| {
            let Object { config } = part(&object)?;
            Ok((name, part(&config)?))
        };
        let crosses = parts.crosses.unwrap_or_default();
        Ok(Self {
            features: parts.features.into_iter().map(feature).collect::<Result<_, _>>()?,
            output_mode: parts.output_mode,
            crosses: crosses.iter().map(|o| part(&o.config)).collect::<Result<_, _>>()?,
            crossing_dim: parts.crossing_dim,
            hashing_dim: parts.hashing_dim,
            num_discretization_bins: parts.num_discretization_bins,
        })
    }
}

impl Cross {
    /// The name of the crossed column.
    pub fn name(&self) -> String {
        self.feature_names.join("_X_")
    }
}

impl FeatureSpace {
    /// What Keras builds the layers from before it gives them what they learned.
    pub(super) fn build_config(&self) -> Value {
        let features = self.features.iter();
        let built = |(name, _): &(String, _)| (name.clone(), json!({"input_shape": [null, 1]}));
        features.map(built).collect::<Map<_, _>>().into()
    }

    /// The call of the layer that prepares a column of the table.
    fn inputs(call: &Call<'_>, name: &str, feature: &Feature) -> Inputs {
        let given = match call.inputs.args.first() {
            Some(Arg::Dict(entries)) => entries.iter().find(|(key, _)| key == name),
            _ => None,
        };
        let batch = match given.and_then(|(_, arg)| arg.tensor()) {
            Some(tensor) => tensor.shape.dim(0).flatten(),
            None => None,
        };
        Inputs::one(KerasTensor::new([batch, Some(1)], feature.dtype))
    }
}

/// A `FeatureSpace` that was saved by itself, as a model: an input for each column, named after it.
/// Any other layer stays as it is.
pub(crate) fn as_model(layer: Layer) -> Layer {
    let Kind::FeatureSpace(space) = &layer.kind else { return layer };
    let input = |(name, feature): &(String, Feature)| {
        let batch_shape = Shape::from([None, Some(1)]);
        let dtype = feature.dtype;
        let kind = InputLayer { batch_shape, sparse: false, ragged: false, optional: false, dtype };
        let base = Base { class: "InputLayer".into(), name: name.clone(), ..layer.base.clone() };
        Layer { base, kind: Kind::InputLayer(Box::new(kind)) }
    };
    let mut layers: Vec<Layer> = space.features.iter().map(input).collect();
    let node = layers.len();
    let inputs: Vec<TensorRef> = (0..node).map(|node| TensorRef { node, index: 0 }).collect();
    let named = space.features.iter().zip(&inputs);
    let columns = named.map(|((name, _), input)| (name.clone(), Arg::Tensor(*input))).collect();
    let outputs = match space.output_mode {
        FeatureOutput::Concat => 1,
        FeatureOutput::Dict => space.features.len().saturating_add(space.crosses.len()),
    };
    let call = |layer, inputs| Node { layer, inputs, declared: BTreeMap::new() };
    let mut nodes: Vec<Node> = (0..node).map(|layer| call(layer, Inputs::default())).collect();
    nodes.push(call(node, Inputs { args: vec![Arg::Dict(columns)], kwargs: Vec::new() }));
    let outputs = (0..outputs).map(|index| Arg::Tensor(TensorRef { node, index })).collect();
    let base = layer.base.clone();
    layers.push(layer);
    let (name, class) = (base.name.clone(), ModelClass::Layer);
    let model = Model { name, class, layers, graph: Graph::new(nodes, inputs, outputs) };
    Layer { base, kind: Kind::Model(Box::new(model)) }
}

/// How many categories a layer tells apart.
fn categories(layer: &Layer) -> Option<usize> {
    match &layer.kind {
        Kind::StringLookup(lookup) | Kind::IntegerLookup(lookup) => lookup.size(),
        Kind::CategoryEncoding(encoding) => Some(encoding.num_tokens),
        Kind::Discretization(bins) => bins.num_bins,
        Kind::HashedCrossing(hash) => Some(hash.num_bins),
        Kind::Hashing(hash) => Some(hash.num_bins),
        _ => None,
    }
}

impl LayerConfig for FeatureSpace {
    /// A dict of columns `[batch, 1]` to `[batch, sum of their lengths]`, columns by name and then
    /// crosses by name; or to a dict of `[batch, length]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let float = |batch: Dim, n: Dim| KerasTensor::new([batch, n], DType::Float32);
        let mut columns = Vec::new();
        for (name, feature) in &self.features {
            let outputs = feature.preprocessor.output(&Self::inputs(call, name, feature))?;
            let Some(column) = outputs.into_iter().next() else {
                return Err(call.error(format!("the column {name} has no output")));
            };
            let batch = column.shape.dim(0).flatten();
            let column = match feature.output_mode {
                FeatureEncoding::OneHot => float(batch, categories(&feature.preprocessor)),
                _ => column,
            };
            columns.push((name.clone(), column));
        }
        let batch = columns.first().and_then(|(_, column)| column.shape.dim(0).flatten());
        columns.sort_by(|a, b| a.0.cmp(&b.0));
        let mut crosses: Vec<_> = self
            .crosses
            .iter()
            .map(|cross| match cross.output_mode {
                FeatureEncoding::OneHot => (cross.name(), float(batch, Some(cross.crossing_dim))),
                _ => (cross.name(), KerasTensor::new([batch, Some(1)], DType::Int64)),
            })
            .collect();
        crosses.sort_by(|a, b| a.0.cmp(&b.0));
        columns.extend(crosses);
        if self.output_mode == FeatureOutput::Dict {
            columns.sort_by(|a, b| a.0.cmp(&b.0));
            return Ok(columns.into_iter().map(|(_, column)| column).collect());
        }
        let mut total = Some(0);
        for (_, column) in &columns {
            let length = column.shape.dim(-1).flatten();
            total = total.zip(length).map(|(a, b)| call.sum([a, b])).transpose()?;
        }
        Ok(call.output(Shape::from([batch, total])))
    }

    /// Those of the layers that prepare the columns.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let mut names = StoreNames::default();
        let sublayers = self.features.iter().map(|(name, feature)| {
            let layer = &feature.preprocessor;
            let path = format!("preprocessors/{}", names.next(&layer.base.class));
            let variables = layer.variables(&Self::inputs(call, name, feature))?;
            Ok(Sublayer::new(path, layer, variables))
        });
        Ok(Variables { sublayers: sublayers.collect::<Result<_>>()?, ..Variables::none() })
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        self.features.iter().map(|(_, f)| ("preprocessors", &f.preprocessor)).collect()
    }
}
