//! `CategoricalCrossentropy`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::crossentropy;
use crate::ops::Arithmetic;

/// The cross-entropy of chances along an axis, which goes.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    (from_logits, label_smoothing, axis): (bool, f64, i64),
) -> Result<Value> {
    let y_true = smoothed(b, y_true, y_pred, label_smoothing)?;
    let axis = b.axis(y_pred, axis)?;
    crossentropy::categorical(b, y_true, y_pred, from_logits, axis)
}

/// Chances, so much nearer to each other, in the type of the predictions. The classes are counted
/// along the last axis, whatever the axis of the sum is.
pub(super) fn smoothed(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    label_smoothing: f64,
) -> Result<Value> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    if label_smoothing == 0.0 {
        return Ok(y_true);
    }
    let classes = b.dim(y_true, -1)?;
    let y_true = b.scale(y_true, 1.0 - label_smoothing)?;
    b.with_number(Arithmetic::Add, y_true, label_smoothing / classes as f64)
}
