//! `MeanSquaredLogarithmicError`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::{mean, pair};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};
use crate::train::EPSILON;

/// The mean of `(log(y_true + 1) - log(y_pred + 1))²` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let (first, second) = (log(b, y_pred)?, log(b, y_true)?);
    let squares = b.binary(Arithmetic::SquaredDifference, first, second)?;
    mean(b, squares)
}

fn log(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let x = b.with_number(Arithmetic::Max, x, EPSILON)?;
    let x = b.with_number(Arithmetic::Add, x, 1.0)?;
    b.unary(Function::Log, x)
}
