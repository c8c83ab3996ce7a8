//! Keras 1's class names and keys. Source: `keras/legacy/interfaces.py` of Keras 2.3.1 for the
//! pairs, `keras/layers/*.py` of Keras 1.2.2 for what a key means.

use serde_json::{Map, Value, json};

use super::{Dialect, rename};
use crate::{Error, Result};

/// Keras 3's name of a Keras 1 class.
pub(super) fn class(class: &str) -> &str {
    match class {
        "Convolution1D" | "AtrousConvolution1D" => "Conv1D",
        "Convolution2D" | "AtrousConvolution2D" => "Conv2D",
        "Convolution3D" => "Conv3D",
        "Deconvolution2D" => "Conv2DTranspose",
        "SeparableConvolution2D" => "SeparableConv2D",
        "TimeDistributedDense" => "Dense",
        other => other,
    }
}

/// What today's layer is that a `Merge` of this mode was; its other modes have none that does
/// quite the same.
pub(super) fn merge(config: &mut Map<String, Value>) -> Option<&'static str> {
    let class = match config.get("mode").and_then(Value::as_str)? {
        "sum" => "Add",
        "mul" => "Multiply",
        "ave" => "Average",
        "max" => "Maximum",
        "concat" => "Concatenate",
        _ => return None,
    };
    rename(config, "concat_axis", "axis");
    Some(class)
}

/// Old key, new key: those that mean the same in every class.
const KEYS: &[(&str, &str)] = &[
    ("nb_filter", "filters"),
    ("subsample", "strides"),
    ("subsample_length", "strides"),
    ("stride", "strides"),
    ("border_mode", "padding"),
    ("dim_ordering", "data_format"),
    ("atrous_rate", "dilation_rate"),
    ("filter_length", "kernel_size"),
    ("pool_length", "pool_size"),
    ("p", "rate"),
    ("sigma", "stddev"),
    ("bias", "use_bias"),
    ("inner_activation", "recurrent_activation"),
    ("inner_init", "recurrent_initializer"),
    ("gamma_init", "gamma_initializer"),
    ("beta_init", "beta_initializer"),
    ("W_constraint", "kernel_constraint"),
    ("U_constraint", "recurrent_constraint"),
    ("b_constraint", "bias_constraint"),
    ("U_regularizer", "recurrent_regularizer"),
    ("b_regularizer", "bias_regularizer"),
    ("dropout_W", "dropout"),
    ("dropout_U", "recurrent_dropout"),
];

/// Rewrites the keys of one layer; `class` is Keras 3's name already.
pub(super) fn config(class: &str, config: &mut Map<String, Value>, dialect: &mut Dialect) {
    let before = config.len();
    let mut renamed = KEYS.iter().filter(|(old, new)| rename(config, old, new)).count();
    let weight = match class {
        "Embedding" => "embeddings",
        "PReLU" => "alpha",
        _ => "kernel",
    };
    renamed += usize::from(rename(config, "init", &format!("{weight}_initializer")));
    renamed += usize::from(rename(config, "W_regularizer", &format!("{weight}_regularizer")));
    if class != "Embedding" {
        renamed += usize::from(rename(config, "output_dim", "units"));
    }
    kernel_size(config);
    match class {
        "SReLU" => {
            for key in ["t_left", "a_left", "t_right", "a_right"] {
                let (old, new) = (format!("{key}_init"), format!("{key}_initializer"));
                renamed += usize::from(rename(config, &old, &new));
            }
        }
        "ZeroPadding1D" | "ZeroPadding2D" => borders(config),
        "UpSampling1D" => renamed += usize::from(rename(config, "length", "size")),
        "Conv2DTranspose" => {
            // A fixed output shape, batch included: Keras 2 derives it from strides and padding.
            config.remove("output_shape");
        }
        _ => {}
    }
    let format = match config.get("data_format").and_then(Value::as_str) {
        None | Some("default") => dialect.data_format,
        Some(old) => DATA_FORMATS.iter().find(|(name, _)| *name == old).map(|(_, new)| *new),
    };
    // Where a layer does not say it, that of the others: `ZeroPadding2D` never did. `Flatten` takes
    // elements as they lie, and with one axis channels are always last.
    let has_one = class != "Flatten" && !class.ends_with("1D");
    if let Some(format) = format.filter(|_| has_one) {
        config.insert("data_format".into(), format.into());
    }
    if renamed > 0 || config.len() != before {
        dialect.note("Keras 1 class names and keys became Keras 3's");
    }
}

/// Keras 1's `dim_ordering` and Keras 3's `data_format`.
const DATA_FORMATS: &[(&str, &str)] = &[("th", "channels_first"), ("tf", "channels_last")];

/// The format that the layers of a model have, if one of them says it.
pub(super) fn data_format(model: &Value) -> Option<&'static str> {
    match model {
        Value::Object(map) => {
            let own = map.get("dim_ordering").and_then(Value::as_str);
            let known = DATA_FORMATS.iter().find(|(name, _)| Some(*name) == own);
            known.map(|(_, new)| *new).or_else(|| map.values().find_map(data_format))
        }
        Value::Array(items) => items.iter().find_map(data_format),
        _ => None,
    }
}

/// `padding` of four numbers (top, bottom, left, right) or of names becomes one pair per axis.
fn borders(config: &mut Map<String, Value>) {
    let names = |map: &Map<String, Value>, keys: [&str; 2]| -> Value {
        keys.iter().map(|key| map.get(*key).cloned().unwrap_or_else(|| json!(0))).collect()
    };
    let pairs = match config.get("padding") {
        Some(Value::Array(sides)) => match sides.as_slice() {
            [top, bottom, left, right] => Some(json!([[top, bottom], [left, right]])),
            _ => None,
        },
        Some(Value::Object(map)) if map.contains_key("top_pad") => {
            let rows = names(map, ["top_pad", "bottom_pad"]);
            Some(json!([rows, names(map, ["left_pad", "right_pad"])]))
        }
        Some(Value::Object(map)) => Some(names(map, ["left_pad", "right_pad"])),
        _ => None,
    };
    if let Some(pairs) = pairs {
        config.insert("padding".into(), pairs);
    }
}

/// `nb_row, nb_col` and `kernel_dim1..3` become `kernel_size`.
fn kernel_size(config: &mut Map<String, Value>) {
    for names in [&["nb_row", "nb_col"][..], &["kernel_dim1", "kernel_dim2", "kernel_dim3"]] {
        let sizes: Vec<Value> = names.iter().filter_map(|n| config.remove(*n)).collect();
        if sizes.len() == names.len() {
            config.insert("kernel_size".into(), Value::Array(sizes));
        }
    }
}

/// A Sequential that starts with `Merge` of whole branches, as a Functional graph: the branches'
/// layers, the merge over their ends, the rest in a row.
pub(super) fn merge_to_functional(sequential: &Map<String, Value>) -> Result<Map<String, Value>> {
    let wrong = || Error::config("Sequential", "a Merge as first layer must hold its branches");
    let config = sequential.get("config").ok_or_else(wrong)?;
    let all = config.get("layers").and_then(Value::as_array).ok_or_else(wrong)?;
    let (merge, rest) = all.split_first().ok_or_else(wrong)?;
    let mut graph = Chain::default();
    let mut ends = Vec::new();
    branch_ends(merge, &mut graph, &mut ends)?;
    let mut merge = merge.clone();
    if let Some(config) = merge.get_mut("config").and_then(Value::as_object_mut) {
        config.remove("layers");
    }
    let mut end = graph.push(&merge, &ends)?;
    for layer in rest {
        end = graph.push(layer, &[end])?;
    }
    let name = config.get("name").cloned().unwrap_or_else(|| "sequential".into());
    let inputs: Vec<Value> = graph.inputs.iter().map(|n| json!([n, 0, 0])).collect();
    let functional = json!({
        "class_name": "Functional",
        "config": {
            "name": name, "layers": graph.layers,
            "input_layers": inputs, "output_layers": [[end, 0, 0]],
        },
    });
    functional.as_object().cloned().ok_or_else(wrong)
}

/// Adds the layers of each branch of a `Merge` to the graph and the name of its last one to `ends`.
fn branch_ends(merge: &Value, graph: &mut Chain, ends: &mut Vec<String>) -> Result<()> {
    let wrong = || Error::config("Merge", "its branches must be Sequential models");
    let branches = merge.get("config").and_then(|c| c.get("layers")).and_then(Value::as_array);
    for branch in branches.ok_or_else(wrong)? {
        let config = branch.get("config").ok_or_else(wrong)?;
        let layers = config.as_array().or_else(|| config.get("layers").and_then(Value::as_array));
        let Some((first, rest)) = layers.and_then(|l| l.split_first()) else { return Err(wrong()) };
        let mut end = if first.get("class_name").and_then(Value::as_str) == Some("Merge") {
            let mut inner = Vec::new();
            branch_ends(first, graph, &mut inner)?;
            let mut merge = first.clone();
            if let Some(config) = merge.get_mut("config").and_then(Value::as_object_mut) {
                config.remove("layers");
            }
            graph.push(&merge, &inner)?
        } else {
            let shape = first.get("config").and_then(|c| c.get("batch_input_shape"));
            let shape = shape.cloned().ok_or_else(wrong)?;
            let input = graph.input(&shape);
            graph.push(first, &[input])?
        };
        for layer in rest {
            end = graph.push(layer, &[end])?;
        }
        ends.push(end);
    }
    Ok(())
}

/// A graph under construction, in Keras 1's spelling.
#[derive(Default)]
struct Chain {
    layers: Vec<Value>,
    inputs: Vec<String>,
}

impl Chain {
    fn input(&mut self, shape: &Value) -> String {
        let name = format!("merge_input_{}", self.inputs.len().saturating_add(1));
        self.layers.push(json!({
            "class_name": "InputLayer", "name": name, "inbound_nodes": [],
            "config": {"name": name, "batch_input_shape": shape},
        }));
        self.inputs.push(name.clone());
        name
    }

    fn push(&mut self, layer: &Value, from: &[String]) -> Result<String> {
        let name = layer.get("config").and_then(|c| c.get("name")).and_then(Value::as_str);
        let name = name.ok_or_else(|| Error::config("Merge", "a layer has no name"))?.to_owned();
        let mut layer = layer.clone();
        if let Some(map) = layer.as_object_mut() {
            let from: Vec<Value> = from.iter().map(|n| json!([n, 0, 0])).collect();
            map.insert("name".into(), name.clone().into());
            map.insert("inbound_nodes".into(), json!([from]));
            if let Some(config) = map.get_mut("config").and_then(Value::as_object_mut) {
                config.remove("batch_input_shape");
            }
        }
        self.layers.push(layer);
        Ok(name)
    }
}
