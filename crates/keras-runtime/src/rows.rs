//! Whether the rows of a batch have nothing to do with each other, so that it may be computed in
//! parts.

use keras_model::{Arg, Graph, Inferred, Kind, Layer, Model};
use serde_json::Value as Json;

use crate::lower::options;

/// Whether a model gives for each row what it gives for the row alone. `false` where that is not
/// sure: layers of the caller's, operations that may look along the first axis.
pub(crate) fn are_independent(model: &Model, shapes: &Inferred) -> bool {
    let graph = &model.graph;
    let free = |reference: &keras_model::TensorRef| {
        shapes.tensor(*reference).is_some_and(|t| t.shape.dims().first() == Some(&None))
    };
    let mut outputs = Vec::new();
    graph.outputs.iter().for_each(|a| a.tensors(&mut outputs));
    !graph.inputs.is_empty()
        && graph.inputs.iter().all(free)
        && outputs.into_iter().all(free)
        && layers(graph, &model.layers)
}

fn layers(graph: &Graph, layers: &[Layer]) -> bool {
    let calls = graph.nodes.iter().filter_map(|node| Some((node, layers.get(node.layer)?)));
    // What is called with `training=True` may take the statistics of the batch.
    let trains = |node: &keras_model::Node| {
        let training = node.inputs.named("training", usize::MAX).and_then(Arg::value);
        training.and_then(Json::as_bool) == Some(true)
    };
    calls.into_iter().all(|(node, layer)| match &layer.kind {
        _ if trains(node) => false,
        Kind::Operation(op) => {
            let axis = node.inputs.named("axis", 1).and_then(Arg::value);
            let axis = axis.or_else(|| op.config.get("axis"));
            operation(&op.operation, axis)
        }
        _ => alone(layer),
    })
}

/// Whether a layer computes each row by itself.
fn alone(layer: &Layer) -> bool {
    match &layer.kind {
        // In one mode of Keras 1 the statistics are the batch's.
        Kind::BatchNormalization(l) => l.mode != 2,
        // Code may do anything. Texts become as long as the longest, boxes and features are lists.
        Kind::Custom(_)
        | Kind::Lambda(_)
        | Kind::Operation(_)
        | Kind::TextVectorization(_)
        | Kind::MaxNumBoundingBoxes(_)
        | Kind::FeatureSpace(_)
        | Kind::Pipeline(_) => false,
        Kind::Model(model) => layers(&model.graph, &model.layers),
        kind if options(kind).is_some_and(|o| o.time_major) => false,
        kind => {
            let config = serde_json::to_value(layer).unwrap_or_default();
            let axis = config.get("config").and_then(|c| c.get("axis"));
            let first = |v: &Json| v.as_i64() == Some(0);
            let along_first = match axis {
                Some(Json::Array(axes)) => axes.iter().any(first),
                Some(axis) => first(axis),
                None => false,
            };
            !along_first && kind.config().sublayers().iter().all(|(_, l)| alone(l))
        }
    }
}

/// Whether an operation computes each row by itself, with that argument `axis`.
fn operation(name: &str, axis: Option<&Json>) -> bool {
    match name {
        "Add" | "Subtract" | "Multiply" | "Divide" | "TrueDivide" | "Power" | "Maximum"
        | "Minimum" | "Absolute" | "Exp" | "Log" | "Sqrt" | "Rsqrt" | "Square" | "Negative"
        | "Relu" | "Relu6" | "Sigmoid" | "Silu" | "Tanh" | "Gelu" | "Elu" | "Selu" | "Softplus"
        | "Softsign" | "LeakyRelu" | "HardSigmoid" | "HardSilu" | "LogSigmoid" | "Erf" | "Sin"
        | "Cos" | "Cast" | "Clip" | "Where" | "Equal" | "NotEqual" | "Greater" | "GreaterEqual"
        | "Less" | "LessEqual" | "LogicalAnd" | "LogicalOr" | "LogicalNot" => true,
        "Sum" | "Mean" | "Max" | "Min" | "Prod" | "Var" | "Std" | "Softmax" | "LogSoftmax"
        | "Concatenate" | "Logsumexp" | "Argmax" | "Argmin" => {
            // Counted from the end it may be the first as well.
            let behind = |v: &Json| v.as_i64().is_some_and(|a| a > 0);
            match axis {
                Some(Json::Array(axes)) => !axes.is_empty() && axes.iter().all(behind),
                Some(axis) => behind(axis),
                None => false,
            }
        }
        _ => false,
    }
}
