//! `Huber`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::{mean, pair};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Relation};

/// The mean of half the squared error, from `delta` on of a line, along the last axis: `[.., n]` to
/// `[..]`.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    delta: f64,
) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let error = b.sub(y_pred, y_true)?;
    let size = b.unary(Function::Abs, error)?;
    let square = b.unary(Function::Square, error)?;
    let square = b.scale(square, 0.5)?;
    let line = b.with_number(Arithmetic::Mul, size, delta)?;
    let line = b.with_number(Arithmetic::Sub, line, 0.5 * delta * delta)?;
    let is_small = b.compare_number(Relation::LessEqual, size, delta)?;
    let value = b.select(is_small, square, line)?;
    mean(b, value)
}
