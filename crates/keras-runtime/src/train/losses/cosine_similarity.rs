//! `CosineSimilarity`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::compile::Axes;

use super::{axes, pair};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::unit;
use crate::train::EPSILON;

/// The cosine of the angle between `y_true` and `y_pred` along some axes, which go. The loss is
/// its negative, the metric the cosine itself.
pub(crate) fn cosine(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    axis: Option<&Axes>,
) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let axes = axes(b, y_pred, axis)?;
    let y_pred = unit(b, y_pred, &axes, EPSILON * EPSILON)?;
    let y_true = unit(b, y_true, &axes, EPSILON * EPSILON)?;
    let product = b.mul(y_true, y_pred)?;
    b.sum(product, &axes, false)
}

/// `-cos` of the angle between `y_true` and `y_pred` along some axes, which go.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    axis: Option<&Axes>,
) -> Result<Value> {
    let cosine = cosine(b, y_true, y_pred, axis)?;
    b.scale(cosine, -1.0)
}
