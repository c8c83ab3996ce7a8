//! `MeanAbsoluteError`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::{mean, pair};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

/// The mean of `|y_true - y_pred|` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let error = b.sub(y_true, y_pred)?;
    let size = b.unary(Function::Abs, error)?;
    mean(b, size)
}
