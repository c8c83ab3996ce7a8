//! `KLDivergence`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;
use crate::train::EPSILON;

/// The sum of `y_true · log(y_true / y_pred)` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    let y_true = b.unary(Function::Clip(EPSILON, 1.0), y_true)?;
    let y_pred = b.unary(Function::Clip(EPSILON, 1.0), y_pred)?;
    let ratio = b.div(y_true, y_pred)?;
    let log = b.unary(Function::Log, ratio)?;
    let product = b.mul(y_true, log)?;
    let axis = b.axis(product, -1)?;
    b.sum(product, &[axis], false)
}
