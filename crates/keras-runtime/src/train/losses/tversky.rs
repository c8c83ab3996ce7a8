//! `Tversky`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::compile::Axes;

use super::{complement, sum_over};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;
use crate::train::EPSILON;

/// `1 - tp / (tp + alpha · fp + beta · fn)`, each a sum over some axes or all. As in Keras `fp` is
/// what the labels have and the predictions have not.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    (alpha, beta, axis): (f64, f64, Option<&Axes>),
) -> Result<Value> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    let (not_true, not_pred) = (complement(b, y_true)?, complement(b, y_pred)?);
    let mut sum = |x: Value, y: Value| {
        let product = b.mul(x, y)?;
        sum_over(b, product, axis)
    };
    let both = sum(y_true, y_pred)?;
    let (missed, added) = (sum(not_pred, y_true)?, sum(y_pred, not_true)?);
    let (missed, added) = (b.scale(missed, alpha)?, b.scale(added, beta)?);
    let all = b.add(both, missed)?;
    let all = b.add(all, added)?;
    let all = b.with_number(Arithmetic::Add, all, EPSILON)?;
    let share = b.div(both, all)?;
    complement(b, share)
}
