//! `Dice`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::compile::Axes;

use super::{complement, sum_over};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;
use crate::train::EPSILON;

/// `1 - 2 Σ y_true · y_pred / (Σ y_true + Σ y_pred)`, the sums over some axes or all.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    axis: Option<&Axes>,
) -> Result<Value> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    let both = b.mul(y_true, y_pred)?;
    let both = sum_over(b, both, axis)?;
    let both = b.scale(both, 2.0)?;
    let (of_true, of_pred) = (sum_over(b, y_true, axis)?, sum_over(b, y_pred, axis)?);
    let all = b.add(of_true, of_pred)?;
    let all = b.with_number(Arithmetic::Add, all, EPSILON)?;
    let share = b.div(both, all)?;
    complement(b, share)
}
