//! Keras 2's and `tf.keras`'s class names and keys, as far as Keras 3 changed them.
//! Source: `tf_keras/src/layers` 2.21 beside `keras/src/layers` 3.15.

use serde_json::{Map, Value, json};

use super::{Dialect, Generation, rename};
use crate::activations::HARD_SIGMOID_KERAS2;

/// Keras 3's name of a Keras 2 class.
pub(super) fn class(class: &str) -> &str {
    match class {
        "BatchNormalizationV1" | "BatchNormalizationV2" | "SyncBatchNormalization" => {
            "BatchNormalization"
        }
        "CenterCropV1" => "CenterCrop",
        "GroupQueryAttention" => "GroupedQueryAttention",
        other => other,
    }
}

/// Rewrites the keys of one layer of Keras 1 or 2.
pub(super) fn config(class: &str, config: &mut Map<String, Value>, dialect: &mut Dialect) {
    if rename(config, "batch_input_shape", "batch_shape") {
        dialect.note("batch_input_shape became batch_shape");
    }
    match class {
        "InputLayer" => _ = rename(config, "input_dtype", "dtype"),
        _ => _ = config.remove("input_dtype"),
    }
    for key in ["activation", "recurrent_activation"] {
        if config.get(key).and_then(Value::as_str) == Some("hard_sigmoid") {
            config.insert(key.into(), HARD_SIGMOID_KERAS2.into());
            dialect.note("hard_sigmoid of Keras 1 and 2 (0.2 x + 0.5) is kept as such");
        }
    }
    match class {
        // Keras 2 files of before 2.1.3 have no such key, and reset before.
        "GRU" | "GRUCell" if dialect.generation < Generation::Keras3 => {
            config.entry("reset_after").or_insert(Value::Bool(false));
        }
        "LeakyReLU" if rename(config, "alpha", "negative_slope") => {
            dialect.note("LeakyReLU: alpha became negative_slope");
        }
        // Names of before TensorFlow 2.6.
        "CategoryEncoding" if rename(config, "max_tokens", "num_tokens") => {
            dialect.note("CategoryEncoding: max_tokens became num_tokens");
        }
        "Discretization" if rename(config, "bins", "bin_boundaries") => {
            dialect.note("Discretization: bins became bin_boundaries");
        }
        "IntegerLookup" => {
            for (old, new) in [
                ("max_values", "max_tokens"),
                ("mask_value", "mask_token"),
                ("oov_value", "oov_token"),
            ] {
                rename(config, old, new);
            }
        }
        "Lambda" => {
            // Code, defaults and closure, by name since Keras 3.
            if let Some(Value::Array(parts)) = config.get("function")
                && let [code, defaults, closure] = parts.as_slice()
            {
                let parts = json!({"code": code, "defaults": defaults, "closure": closure});
                config.insert(
                    "function".into(),
                    json!({"class_name": "__lambda__", "config": parts}),
                );
            }
            config.remove("function_type");
        }
        "ZeroPadding1D" | "Cropping1D" => {
            let key = if class == "ZeroPadding1D" { "padding" } else { "cropping" };
            if let Some(n @ Value::Number(_)) = config.get(key).cloned() {
                config.insert(key.into(), json!([n, n]));
            }
        }
        _ => {}
    }
    // A normalisation over one axis: Keras 2 writes a list of one.
    if class == "BatchNormalization"
        && let Some(axis) = config.get("axis").and_then(Value::as_array).filter(|a| a.len() == 1)
        && let Some(axis) = axis.first().cloned()
    {
        config.insert("axis".into(), axis);
        dialect.note("BatchNormalization: a list of one axis became the axis");
    }
}

/// A Sequential without an InputLayer gets one, from the shape that its first layer carries or
/// from the shape that the model was built with.
pub(super) fn split_input(layers: &mut Vec<Value>, build_shape: Option<&Value>) {
    let Some(first) = layers.first() else { return };
    if first.get("class_name").and_then(Value::as_str) == Some("InputLayer") {
        return;
    }
    let shape = input_shape(first).or_else(|| build_shape.filter(|s| s.is_array()).cloned());
    let Some(shape) = shape else { return };
    let config = |key| first.get("config").and_then(|c| c.get(key)).and_then(Value::as_str);
    let name = format!("{}_input", config("name").unwrap_or("sequential"));
    // `input_dtype` is Keras 1's; later a layer's dtype is its input's, unless it is a policy.
    let dtype = config("input_dtype").or_else(|| config("dtype"));
    let dtype = dtype.filter(|d| crate::DType::from_name(d).is_some()).unwrap_or("float32");
    let input = json!({
        "class_name": "InputLayer",
        "config": {"name": name, "batch_shape": shape, "dtype": dtype},
    });
    layers.insert(0, input);
}

/// The batch shape that a first layer carries: its own, or that of the model or layer inside it.
fn input_shape(layer: &Value) -> Option<Value> {
    let config = layer.get("config")?;
    for key in ["batch_input_shape", "batch_shape"] {
        if let Some(shape) = config.get(key).filter(|s| s.is_array()) {
            return Some(shape.clone());
        }
    }
    // A nested model as first layer.
    let inner = config.as_array().or_else(|| config.get("layers")?.as_array());
    inner.and_then(|layers| input_shape(layers.first()?))
}
