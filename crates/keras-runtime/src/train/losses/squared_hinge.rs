//! `SquaredHinge`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::{hinge, mean};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

/// The mean of `max(1 - y_true · y_pred, 0)²` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let margin = hinge::margin(b, y_true, y_pred)?;
    let square = b.unary(Function::Square, margin)?;
    mean(b, square)
}
