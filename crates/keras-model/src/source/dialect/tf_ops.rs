//! `TFOpLambda` and `SlicingOpLambda`: TensorFlow functions in graphs of `tf.keras`, as the
//! operations of `keras.ops` that compute the same.

use serde_json::{Map, Value, json};

use super::{Dialect, rename};
use crate::{Error, Result};

/// TensorFlow's function (without `tf.`), Keras 3's operation, and its argument names that differ.
type Function = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const FUNCTIONS: &[Function] = &[
    ("__operators__.add", "Add", BINARY),
    ("math.add", "Add", BINARY),
    ("math.subtract", "Subtract", BINARY),
    ("math.multiply", "Multiply", BINARY),
    ("math.truediv", "TrueDivide", BINARY),
    ("math.divide", "Divide", BINARY),
    ("realdiv", "TrueDivide", BINARY),
    ("compat.v1.floor_div", "FloorDivide", BINARY),
    ("math.floordiv", "FloorDivide", BINARY),
    ("math.floormod", "Mod", BINARY),
    ("math.mod", "Mod", BINARY),
    ("math.pow", "Power", BINARY),
    ("math.maximum", "Maximum", BINARY),
    ("math.minimum", "Minimum", BINARY),
    ("math.squared_difference", "SquaredDifference", BINARY),
    ("math.greater", "Greater", BINARY),
    ("math.greater_equal", "GreaterEqual", BINARY),
    ("math.less", "Less", BINARY),
    ("math.less_equal", "LessEqual", BINARY),
    ("math.equal", "Equal", BINARY),
    ("math.not_equal", "NotEqual", BINARY),
    ("__operators__.eq", "Equal", BINARY),
    ("__operators__.ne", "NotEqual", BINARY),
    ("math.logical_and", "LogicalAnd", BINARY),
    ("math.logical_or", "LogicalOr", BINARY),
    ("math.logical_not", "LogicalNot", &[]),
    ("math.abs", "Absolute", &[]),
    ("math.negative", "Negative", &[]),
    ("math.exp", "Exp", &[]),
    ("math.log", "Log", &[]),
    ("math.log1p", "Log1p", &[]),
    ("math.sqrt", "Sqrt", &[]),
    ("math.rsqrt", "Rsqrt", &[]),
    ("math.square", "Square", &[]),
    ("math.sign", "Sign", &[]),
    ("math.sin", "Sin", &[]),
    ("math.cos", "Cos", &[]),
    ("math.tan", "Tan", &[]),
    ("math.tanh", "Tanh", &[]),
    ("math.asin", "Arcsin", &[]),
    ("math.acos", "Arccos", &[]),
    ("math.atan", "Arctan", &[]),
    ("math.atan2", "Arctan2", &[("y", "x1"), ("x", "x2")]),
    ("math.sinh", "Sinh", &[]),
    ("math.cosh", "Cosh", &[]),
    ("math.asinh", "Arcsinh", &[]),
    ("math.acosh", "Arccosh", &[]),
    ("math.atanh", "Arctanh", &[]),
    ("math.expm1", "Expm1", &[]),
    ("math.erfc", "Erfc", &[]),
    ("math.erfinv", "Erfinv", &[]),
    ("math.log_sigmoid", "LogSigmoid", &[]),
    ("math.divide_no_nan", "DivideNoNan", BINARY),
    ("math.is_nan", "Isnan", &[]),
    ("math.is_inf", "Isinf", &[]),
    ("math.is_finite", "Isfinite", &[]),
    ("math.logical_xor", "LogicalXor", BINARY),
    ("math.unsorted_segment_sum", "SegmentSum", &[]),
    ("math.unsorted_segment_max", "SegmentMax", &[]),
    ("math.unsorted_segment_min", "SegmentMin", &[]),
    ("math.unsorted_segment_prod", "SegmentProd", &[]),
    ("linalg.inv", "Inv", &[]),
    ("linalg.det", "Det", &[]),
    ("linalg.cholesky", "Cholesky", &[]),
    ("linalg.solve", "Solve", &[("rhs", "b")]),
    ("nn.softsign", "Softsign", &[]),
    ("nn.moments", "Moments", &[]),
    ("image.rgb_to_hsv", "RGBToHSV", &[]),
    ("image.hsv_to_rgb", "HSVToRGB", &[]),
    ("image.rgb_to_grayscale", "RGBToGrayscale", &[]),
    ("math.erf", "Erf", &[]),
    ("math.floor", "Floor", &[]),
    ("math.ceil", "Ceil", &[]),
    ("math.round", "Round", &[]),
    ("math.reciprocal", "Reciprocal", &[]),
    ("math.sigmoid", "Sigmoid", &[]),
    ("math.softplus", "Softplus", &[]),
    ("nn.relu", "Relu", &[]),
    ("nn.relu6", "Relu6", &[]),
    ("nn.elu", "Elu", &[]),
    ("nn.selu", "Selu", &[]),
    ("nn.gelu", "Gelu", &[]),
    ("nn.silu", "Silu", &[]),
    ("nn.swish", "Silu", &[]),
    ("nn.sigmoid", "Sigmoid", &[]),
    ("nn.tanh", "Tanh", &[]),
    ("nn.leaky_relu", "LeakyRelu", &[("alpha", "negative_slope")]),
    ("nn.softmax", "Softmax", &[]),
    ("nn.log_softmax", "LogSoftmax", &[]),
    ("nn.softplus", "Softplus", &[]),
    ("nn.l2_normalize", "Normalize", &[]),
    ("math.l2_normalize", "Normalize", &[]),
    ("math.reduce_mean", "Mean", &[]),
    ("math.reduce_sum", "Sum", &[]),
    ("math.reduce_max", "Max", &[]),
    ("math.reduce_min", "Min", &[]),
    ("math.reduce_prod", "Prod", &[]),
    ("math.reduce_std", "Std", &[]),
    ("math.reduce_variance", "Var", &[]),
    ("math.reduce_any", "Any", &[]),
    ("math.reduce_all", "All", &[]),
    ("math.reduce_logsumexp", "Logsumexp", &[]),
    ("math.argmax", "Argmax", &[]),
    ("math.argmin", "Argmin", &[]),
    ("math.cumsum", "Cumsum", &[]),
    ("math.cumprod", "Cumprod", &[]),
    ("math.top_k", "TopK", &[]),
    ("compat.v1.norm", "Norm", &[]),
    ("norm", "Norm", &[]),
    ("linalg.matmul", "Matmul", &[("b", "x2")]),
    ("einsum", "Einsum", &[]),
    ("cast", "Cast", &[]),
    ("clip_by_value", "Clip", &[("clip_value_min", "x_min"), ("clip_value_max", "x_max")]),
    ("concat", "Concatenate", &[]),
    ("stack", "Stack", &[]),
    ("unstack", "Unstack", &[]),
    ("split", "Split", &[("num_or_size_splits", "indices_or_sections")]),
    ("reshape", "Reshape", &[("shape", "newshape")]),
    ("compat.v1.transpose", "Transpose", &[("perm", "axes")]),
    ("transpose", "Transpose", &[("perm", "axes")]),
    ("expand_dims", "ExpandDims", &[]),
    ("squeeze", "Squeeze", &[]),
    ("compat.v1.squeeze", "Squeeze", &[]),
    ("tile", "Tile", &[("multiples", "repeats")]),
    ("repeat", "Repeat", &[]),
    ("reverse", "Flip", &[]),
    ("roll", "Roll", &[]),
    ("pad", "Pad", &[("paddings", "pad_width")]),
    ("compat.v1.pad", "Pad", &[("paddings", "pad_width")]),
    ("gather", "Take", &[]),
    ("compat.v1.gather", "Take", &[]),
    ("one_hot", "OneHot", &[("depth", "num_classes")]),
    ("where", "Where", &[("x", "x1"), ("y", "x2")]),
    ("zeros_like", "ZerosLike", &[]),
    ("ones_like", "OnesLike", &[]),
    ("compat.v1.zeros_like", "ZerosLike", &[]),
    ("compat.v1.ones_like", "OnesLike", &[]),
    ("identity", "Identity", &[]),
    ("stop_gradient", "StopGradient", &[]),
    ("image.resize", "Resize", &[]),
    ("nn.depth_to_space", "DepthToSpace", &[]),
    ("nn.space_to_depth", "SpaceToDepth", &[]),
    ("shape", "Shape", &[]),
    ("broadcast_to", "BroadcastTo", &[]),
];

const BINARY: &[(&str, &str)] = &[("y", "x2")];

/// Module of the rewritten operations; it tells the operation `Add` from the layer `Add`.
pub(crate) const OPS_MODULE: &str = "keras.src.ops";

pub(super) fn is_op(class: &str) -> bool {
    matches!(class, "TFOpLambda" | "SlicingOpLambda")
}

/// Rewrites one operator layer; its nodes are in Keras 3's form already.
pub(super) fn rewrite(map: &mut Map<String, Value>, dialect: &mut Dialect) -> Result<()> {
    let name = map.get("name").or_else(|| map.get("config").and_then(|c| c.get("name")));
    let name = name.and_then(Value::as_str).unwrap_or("operator").to_owned();
    let config = map.get("config").and_then(|c| c.get("function")).and_then(Value::as_str);
    let Some(function) = config.map(str::to_owned) else {
        return Err(Error::config(name, "a TensorFlow operator without a function"));
    };
    let nodes = map.get_mut("inbound_nodes").and_then(Value::as_array_mut);
    let class = if function == "__operators__.getitem" {
        nodes.into_iter().flatten().for_each(slice_node);
        "GetItem"
    } else if let Some((_, class, names)) = FUNCTIONS.iter().find(|f| f.0 == function) {
        for node in nodes.into_iter().flatten() {
            if let Some(kwargs) = node.get_mut("kwargs").and_then(Value::as_object_mut) {
                kwargs.remove("name");
                for (old, new) in *names {
                    rename(kwargs, old, new);
                }
                if *class == "Split" {
                    places(kwargs);
                }
            }
        }
        class
    } else {
        // Kept under TensorFlow's name: listed as unknown with the rest.
        map.insert("class_name".into(), format!("tf.{function}").into());
        return Ok(());
    };
    map.insert("class_name".into(), class.into());
    map.insert("module".into(), OPS_MODULE.into());
    map.insert("config".into(), json!({"name": name}));
    dialect.note("TensorFlow operators (TFOpLambda, SlicingOpLambda) became keras.ops");
    Ok(())
}

/// `tf.split` takes the sizes of the parts, `keras.ops.split` the places between them.
fn places(kwargs: &mut Map<String, Value>) {
    let Some(Value::Array(sizes)) = kwargs.get_mut("indices_or_sections") else { return };
    sizes.pop();
    let mut place = 0_i64;
    for size in sizes {
        place = place.saturating_add(size.as_i64().unwrap_or(0));
        *size = place.into();
    }
}

/// `slice_spec` becomes the second argument of `GetItem`, its dicts slices.
fn slice_node(node: &mut Value) {
    let Some(node) = node.as_object_mut() else { return };
    let spec = node.get_mut("kwargs").and_then(|k| k.as_object_mut()?.remove("slice_spec"));
    if let (Some(spec), Some(args)) = (spec, node.get_mut("args").and_then(Value::as_array_mut)) {
        args.push(slices(spec));
    }
}

fn slices(spec: Value) -> Value {
    match spec {
        Value::Array(items) => items.into_iter().map(slices).collect(),
        Value::Object(map) if map.contains_key("start") => {
            json!({"class_name": "__slice__", "config": map})
        }
        Value::Object(map) if map.contains_key("value") => {
            map.get("value").cloned().unwrap_or_default()
        }
        other => other,
    }
}
