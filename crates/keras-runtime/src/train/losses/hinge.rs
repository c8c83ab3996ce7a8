//! `Hinge`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::mean;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Connective, Relation};

/// The mean of `max(1 - y_true · y_pred, 0)` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let margin = margin(b, y_true, y_pred)?;
    mean(b, margin)
}

/// `max(1 - y_true · y_pred, 0)`, with -1 for labels 0 if all labels are 0 or 1.
pub(super) fn margin(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    let zero = b.compare_number(Relation::Equal, y_true, 0.0)?;
    let one = b.compare_number(Relation::Equal, y_true, 1.0)?;
    let either = b.logic(Connective::Or, zero, one)?;
    let axes: Vec<usize> = (0..b.rank(either)).collect();
    let is_binary = b.all(either, &axes, false)?;
    let signs = b.scale(y_true, 2.0)?;
    let signs = b.with_number(Arithmetic::Sub, signs, 1.0)?;
    let y_true = b.select(is_binary, signs, y_true)?;
    let product = b.mul(y_true, y_pred)?;
    let one = b.scalar(1.0, b.dtype(product))?;
    let margin = b.sub(one, product)?;
    b.with_number(Arithmetic::Max, margin, 0.0)
}
