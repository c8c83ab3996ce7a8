//! Losses and what is compared with them: the last part of `keras/src/ops/nn.py`. Source of the
//! limits: `keras/src/backend/tensorflow/nn.py`, Keras 3.15.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::activation;
use crate::lower::operation::{OpCall, to_float};
use crate::ops::{Arithmetic, CtcDecode, CtcLoss, Function, Relation, Strategy};

/// `keras.config.epsilon()`.
const EPSILON: f64 = 1e-7;

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "BinaryCrossentropy" => {
            let [target, output] = targets(c, b)?;
            if c.flag("from_logits", 2) {
                // log(1 + exp(x)) - x · target, in a form that does not overflow.
                let soft = b.unary(Function::Softplus, output)?;
                let product = b.mul(output, target)?;
                b.sub(soft, product)?
            } else {
                let output = clipped(b, output)?;
                let one = b.scalar(1.0, b.dtype(output))?;
                let (not_output, not_target) = (b.sub(one, output)?, b.sub(one, target)?);
                let (yes, no) =
                    (b.unary(Function::Log, output)?, b.unary(Function::Log, not_output)?);
                let (yes, no) = (b.mul(target, yes)?, b.mul(not_target, no)?);
                let sum = b.add(yes, no)?;
                b.scale(sum, -1.0)?
            }
        }
        "CategoricalCrossentropy" => {
            let [target, output] = targets(c, b)?;
            let axis = c.axis(b, output, 3, -1)?;
            if c.flag("from_logits", 2) {
                return Ok(Some(vec![softmax_cross_entropy(b, target, output, axis)?]));
            }
            let logs = logs(c, b, output, axis, true)?;
            let product = b.mul(target, logs)?;
            let sum = b.sum(product, &[axis], false)?;
            b.scale(sum, -1.0)?
        }
        "SparseCategoricalCrossentropy" => {
            let [target, output] = c.pair(b)?;
            let output = to_float(b, output)?;
            let axis = c.axis(b, output, 3, -1)?;
            let logs = logs(c, b, output, axis, false)?;
            let places =
                if b.rank(target) == b.rank(output) { target } else { b.expand(target, axis)? };
            let chosen = b.gather_along(logs, places, axis)?;
            let sum = b.sum(chosen, &[axis], false)?;
            b.scale(sum, -1.0)?
        }
        "CTCLoss" => {
            let [labels, logits, lengths, steps] =
                arguments(c, b, ["target", "output", "target_length", "output_length"])?;
            let dtype = b.dtype(logits);
            let blank = blank(c, b, logits, 4)?;
            let inputs = [
                b.cast(labels, DType::Int32)?,
                b.cast(logits, DType::Float32)?,
                b.cast(lengths, DType::Int32)?,
                b.cast(steps, DType::Int32)?,
            ];
            let y = b.op(CtcLoss { blank }, &inputs)?;
            if dtype == DType::Float64 { b.cast(y, dtype)? } else { y }
        }
        "CTCDecode" => {
            let [logits, lengths] = arguments(c, b, ["inputs", "sequence_lengths"])?;
            let blank = blank(c, b, logits, usize::MAX)?;
            let number = |name: &str, default: usize| {
                c.int(name, usize::MAX).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
            };
            let strategy = match c.text("strategy", usize::MAX).unwrap_or("greedy") {
                "greedy" => Strategy::Greedy {
                    merge_repeated: c.plain("merge_repeated", usize::MAX)
                        != Some(&serde_json::Value::Bool(false)),
                },
                "beam_search" => Strategy::Beam {
                    width: number("beam_width", 100),
                    paths: number("top_paths", 1),
                },
                other => return Err(b.unsupported(format!("strategy {other:?}"))),
            };
            let logits = b.cast(logits, DType::Float32)?;
            let lengths = b.cast(lengths, DType::Int32)?;
            return b.ops(CtcDecode { strategy, blank }, &[logits, lengths]).map(Some);
        }
        "PSNR" => {
            let [x, y] = c.pair(b)?;
            let squares = b.binary(Arithmetic::SquaredDifference, x, y)?;
            let axes: Vec<usize> = (0..b.rank(squares)).collect();
            let mean = b.mean(squares, &axes, false)?;
            let log = b.unary(Function::Log10, mean)?;
            let log = b.scale(log, -10.0)?;
            let most = c.float("max_val", 2).unwrap_or(1.0);
            b.with_number(Arithmetic::Add, log, 20.0 * most.log10())?
        }
        "BatchNorm" => batch_norm(c, b)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

fn arguments<const N: usize>(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    names: [&str; N],
) -> Result<[Value; N]> {
    let mut all = Vec::with_capacity(N);
    for (at, name) in names.into_iter().enumerate() {
        let value = c.operand(b, &[name], at, None)?;
        all.push(value.ok_or_else(|| b.error(format!("has no {name}")))?);
    }
    all.try_into().map_err(|_| b.error("has too few arguments"))
}

fn targets(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<[Value; 2]> {
    let [target, output] = arguments(c, b, ["target", "output"])?;
    let output = to_float(b, output)?;
    let target = b.cast(target, b.dtype(output))?;
    Ok([target, output])
}

fn blank(c: &OpCall<'_>, b: &Builder<'_>, logits: Value, at: usize) -> Result<usize> {
    let classes = b.dim(logits, -1)?;
    let place = crate::lower::build::axis_of(c.int("mask_index", at).unwrap_or(0), classes);
    place.ok_or_else(|| b.error("mask_index is no class"))
}

fn clipped(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let x = b.with_number(Arithmetic::Max, x, EPSILON)?;
    b.with_number(Arithmetic::Min, x, 1.0 - EPSILON)
}

/// Logarithms of the chances along an axis; of outputs that are chances their sum is made 1 first.
fn logs(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    output: Value,
    axis: usize,
    is_divided: bool,
) -> Result<Value> {
    if c.flag("from_logits", 2) {
        let sum = activation::logsumexp(b, output, &[axis], true)?;
        return b.sub(output, sum);
    }
    if is_divided {
        let sum = b.sum(output, &[axis], true)?;
        let output = b.div(output, sum)?;
        let output = clipped(b, output)?;
        return b.unary(Function::Log, output);
    }
    // The sparse form takes the logarithms for logits.
    let output = clipped(b, output)?;
    let output = b.unary(Function::Log, output)?;
    let sum = activation::logsumexp(b, output, &[axis], true)?;
    b.sub(output, sum)
}

/// `-Σ labels · log softmax(logits)` along an axis.
///
/// # Gradient
/// To the logits TensorFlow's `softmax(logits) - labels`, whatever the sum of the labels is.
pub(super) fn softmax_cross_entropy(
    b: &mut Builder<'_>,
    labels: Value,
    logits: Value,
    axis: usize,
) -> Result<Value> {
    let total = activation::logsumexp(b, logits, &[axis], true)?;
    let logs = b.sub(logits, total)?;
    let product = b.mul(labels, logs)?;
    let sum = b.sum(product, &[axis], false)?;
    let y = b.unary(Function::Neg, sum)?;
    b.with_gradient_of(y, |b| {
        let (given, known) = (b.stop_gradient(labels)?, b.stop_gradient(logs)?);
        let (to_logits, to_labels) = (b.mul(given, logits)?, b.mul(labels, known)?);
        let both = b.add(to_logits, to_labels)?;
        let sum = b.sum(both, &[axis], true)?;
        let y = b.sub(total, sum)?;
        b.at(y, axis, 0)
    })
}

fn batch_norm(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let [x, mean, variance] = arguments(c, b, ["x", "mean", "variance"])?;
    let axis = c.axis(b, x, usize::MAX, -1)?;
    let mut shape = vec![1; b.rank(x)];
    if let (Some(to), Some(from)) = (shape.get_mut(axis), b.shape(x).get(axis)) {
        *to = *from;
    }
    let wide = |b: &mut Builder<'_>, v: Value| b.reshape(v, shape.clone());
    let (mean, variance) = (wide(b, mean)?, wide(b, variance)?);
    let epsilon = c.float("epsilon", usize::MAX).unwrap_or(1e-3);
    let variance = b.with_number(Arithmetic::Add, variance, epsilon)?;
    let mut factor = b.unary(Function::Rsqrt, variance)?;
    if let Some(scale) = c.operand(b, &["scale"], 4, None)? {
        let scale = wide(b, scale)?;
        factor = b.mul(factor, scale)?;
    }
    let centred = b.sub(x, mean)?;
    let y = b.mul(centred, factor)?;
    match c.operand(b, &["offset"], 3, None)? {
        Some(offset) => {
            let offset = wide(b, offset)?;
            b.add(y, offset)
        }
        None => Ok(y),
    }
}

/// Whether all elements are close to each other: `allclose`.
pub(super) fn all_close(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let close = close(c, b, usize::MAX)?;
    let axes: Vec<usize> = (0..b.rank(close)).collect();
    b.all(close, &axes, false)
}

/// Whether elements are close to each other: `isclose`, whose limits stand at that place.
pub(super) fn close(c: &OpCall<'_>, b: &mut Builder<'_>, at: usize) -> Result<Value> {
    let [x, y] = c.pair(b)?;
    let (x, y) = (to_float(b, x)?, to_float(b, y)?);
    let rtol = c.float("rtol", at).unwrap_or(1e-5);
    let atol = c.float("atol", at.saturating_add(1)).unwrap_or(1e-8);
    let distance = b.sub(x, y)?;
    let distance = b.unary(Function::Abs, distance)?;
    let size = b.unary(Function::Abs, y)?;
    let limit = b.scale(size, rtol)?;
    let limit = b.with_number(Arithmetic::Add, limit, atol)?;
    let mut close = b.compare(Relation::LessEqual, distance, limit)?;
    if at == usize::MAX {
        // Equal infinities have no distance; an infinite limit is none.
        let finite = b.compare_number(Relation::Less, size, f64::INFINITY)?;
        close = b.logic(crate::ops::Connective::And, close, finite)?;
        let equal = b.compare(Relation::Equal, x, y)?;
        close = b.logic(crate::ops::Connective::Or, close, equal)?;
    }
    if c.flag("equal_nan", at.saturating_add(2)) {
        let (x, y) = (b.unary(Function::IsNan, x)?, b.unary(Function::IsNan, y)?);
        let both = b.logic(crate::ops::Connective::And, x, y)?;
        close = b.logic(crate::ops::Connective::Or, close, both)?;
    }
    Ok(close)
}
