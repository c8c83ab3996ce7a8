//! `MeanSquaredError`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::{mean, pair};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

/// The mean of `(y_true - y_pred)²` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let squares = b.binary(Arithmetic::SquaredDifference, y_true, y_pred)?;
    mean(b, squares)
}
