//! `PearsonCorrelation` and `ConcordanceCorrelation`. Source:
//! `keras/src/metrics/correlation_metrics.py`, Keras 3.15.

use keras_model::compile::Axes;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};
use crate::train::EPSILON;
use crate::train::losses::{axes, pair};

/// The correlation of targets and predictions along some axes, which go.
pub(super) fn pearson(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    axis: &Axes,
) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let axes = axes(b, y_pred, Some(axis))?;
    let mut normed = |x: Value| {
        let mean = b.mean(x, &axes, true)?;
        let centred = b.sub(x, mean)?;
        let variance = b.variance(centred, &axes, true)?;
        let deviation = b.unary(Function::Sqrt, variance)?;
        b.div(centred, deviation)
    };
    let (y_true, y_pred) = (normed(y_true)?, normed(y_pred)?);
    let product = b.mul(y_true, y_pred)?;
    b.mean(product, &axes, false)
}

/// The concordance of targets and predictions along some axes, which go. As in Keras the targets are
/// centred by the mean of the predictions.
pub(super) fn concordance(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    axis: &Axes,
) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let axes = axes(b, y_pred, Some(axis))?;
    let (of_true, of_pred) = (b.mean(y_true, &axes, true)?, b.mean(y_pred, &axes, true)?);
    let mut variance = |x: Value, mean: Value| {
        let centred = b.sub(x, mean)?;
        b.variance(centred, &axes, true)
    };
    let (var_true, var_pred) = (variance(y_true, of_true)?, variance(y_pred, of_pred)?);
    let (first, second) = (b.sub(y_true, of_pred)?, b.sub(y_pred, of_pred)?);
    let product = b.mul(first, second)?;
    let product = b.scale(product, 2.0)?;
    let apart = b.binary(Arithmetic::SquaredDifference, of_true, of_pred)?;
    let norm = b.add(var_true, var_pred)?;
    let norm = b.add(norm, apart)?;
    let norm = b.with_number(Arithmetic::Add, norm, EPSILON)?;
    let share = b.div(product, norm)?;
    b.mean(share, &axes, false)
}
