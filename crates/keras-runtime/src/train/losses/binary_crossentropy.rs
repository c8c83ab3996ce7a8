//! `BinaryCrossentropy`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::compile::Axes;

use super::mean_over;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::crossentropy;
use crate::ops::Arithmetic;

/// The mean of the cross-entropies of yes and no over some axes, which go, or over all.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    (from_logits, label_smoothing, axis): (bool, f64, Option<&Axes>),
) -> Result<Value> {
    let y_true = smoothed(b, y_true, y_pred, label_smoothing)?;
    let value = crossentropy::binary(b, y_true, y_pred, from_logits)?;
    mean_over(b, value, axis)
}

/// Labels between 0 and 1, so much nearer to a half, in the type of the predictions.
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
    let y_true = b.scale(y_true, 1.0 - label_smoothing)?;
    b.with_number(Arithmetic::Add, y_true, 0.5 * label_smoothing)
}
