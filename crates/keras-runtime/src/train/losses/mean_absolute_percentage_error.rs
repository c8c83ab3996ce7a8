//! `MeanAbsolutePercentageError`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::{mean, pair};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};
use crate::train::EPSILON;

/// 100 times the mean of `|(y_true - y_pred) / y_true|` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let size = b.unary(Function::Abs, y_true)?;
    let size = b.with_number(Arithmetic::Max, size, EPSILON)?;
    let error = b.sub(y_true, y_pred)?;
    let share = b.div(error, size)?;
    let share = b.unary(Function::Abs, share)?;
    let mean = mean(b, share)?;
    b.scale(mean, 100.0)
}
