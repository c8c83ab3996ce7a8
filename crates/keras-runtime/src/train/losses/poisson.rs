//! `Poisson`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::mean;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};
use crate::train::EPSILON;

/// The mean of `y_pred - y_true · log(y_pred)` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    let log = b.with_number(Arithmetic::Add, y_pred, EPSILON)?;
    let log = b.unary(Function::Log, log)?;
    let product = b.mul(y_true, log)?;
    let value = b.sub(y_pred, product)?;
    mean(b, value)
}
