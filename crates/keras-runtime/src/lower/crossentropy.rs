//! Cross-entropies, for operations, losses and metrics. Source: `keras/src/backend/tensorflow/nn.py`,
//! Keras 3.15.
//!
//! Where chances are the sigmoid or softmax of a tensor, all of them compute from that tensor, as
//! Keras does: nothing is lost in logarithms of numbers near 0.

use super::activation;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Function, Relation};
use crate::train::EPSILON;

/// The logits behind chances, if they are known, and whether what it gives are logits.
fn logits(b: &Builder<'_>, output: Value, from_logits: bool) -> (Value, bool) {
    b.logits(output).map_or((output, from_logits), |logits| (logits, true))
}

fn clipped(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    b.unary(Function::Clip(EPSILON, 1.0 - EPSILON), x)
}

/// The cross-entropy of yes and no, element by element: `keras.ops.binary_crossentropy`.
pub(crate) fn binary(
    b: &mut Builder<'_>,
    target: Value,
    output: Value,
    from_logits: bool,
) -> Result<Value> {
    let (output, from_logits) = logits(b, output, from_logits);
    if from_logits {
        // log(1 + exp(x)) - x · target, in a form that does not overflow.
        let soft = b.unary(Function::Softplus, output)?;
        let product = b.mul(output, target)?;
        return b.sub(soft, product);
    }
    let output = clipped(b, output)?;
    let one = b.scalar(1.0, b.dtype(output))?;
    let (not_output, not_target) = (b.sub(one, output)?, b.sub(one, target)?);
    let (yes, no) = (b.unary(Function::Log, output)?, b.unary(Function::Log, not_output)?);
    let (yes, no) = (b.mul(target, yes)?, b.mul(not_target, no)?);
    let sum = b.add(yes, no)?;
    b.scale(sum, -1.0)
}

/// The cross-entropy of chances along an axis, which goes: `keras.ops.categorical_crossentropy`.
pub(crate) fn categorical(
    b: &mut Builder<'_>,
    target: Value,
    output: Value,
    from_logits: bool,
    axis: usize,
) -> Result<Value> {
    if b.shape(target) != b.shape(output) {
        let (target, output) = (b.shape(target), b.shape(output));
        return Err(b.error(format!(
            "targets and predictions must have the same shape, not {target:?} and {output:?}"
        )));
    }
    let (output, from_logits) = logits(b, output, from_logits);
    if from_logits {
        return softmax(b, target, output, axis);
    }
    // Of chances the sum is made 1 first.
    let sum = b.sum(output, &[axis], true)?;
    let output = b.div(output, sum)?;
    let output = clipped(b, output)?;
    let logs = b.unary(Function::Log, output)?;
    let product = b.mul(target, logs)?;
    let sum = b.sum(product, &[axis], false)?;
    b.scale(sum, -1.0)
}

/// The cross-entropy of the chances of the right classes along the last axis, which goes: labels
/// `[..]` or `[.., 1]`. `keras.ops.sparse_categorical_crossentropy`.
pub(crate) fn sparse_categorical(
    b: &mut Builder<'_>,
    target: Value,
    output: Value,
    from_logits: bool,
) -> Result<Value> {
    let axis = b.axis(output, -1)?;
    let classes = b.dim(output, -1)?;
    let target = b.cast(target, keras_model::DType::Int64)?;
    let is_open = b.rank(target) == axis;
    let target = if is_open { b.expand(target, axis)? } else { target };
    let fits = b.rank(target) == b.rank(output)
        && b.dim(target, -1)? == 1
        && b.shape(target).iter().zip(b.shape(output)).take(axis).all(|(m, n)| m == n);
    if !fits {
        let (target, output) = (b.shape(target), b.shape(output));
        return Err(b.error(format!(
            "labels must have the shape of the predictions without the last axis, not {target:?} for {output:?}"
        )));
    }
    let (output, from_logits) = logits(b, output, from_logits);
    let output = if from_logits {
        output
    } else {
        // It takes the logarithms for logits.
        let output = clipped(b, output)?;
        b.unary(Function::Log, output)?
    };
    let sum = activation::logsumexp(b, output, &[axis], true)?;
    let logs = b.sub(output, sum)?;
    // No label counts from the end: a negative one is none of the classes.
    let negative = b.compare_number(Relation::Less, target, 0.0)?;
    let none = b.scalar(classes as f64, b.dtype(target))?;
    let target = b.select(negative, none, target)?;
    let chosen = b.gather_along(logs, target, axis)?;
    let sum = b.sum(chosen, &[axis], false)?;
    b.scale(sum, -1.0)
}

/// `-Σ labels · log softmax(logits)` along an axis.
///
/// # Gradient
/// To the logits TensorFlow's `softmax(logits) - labels`, whatever the sum of the labels is.
pub(crate) fn softmax(
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
