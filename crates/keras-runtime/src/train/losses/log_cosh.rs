//! `LogCosh`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::{mean, pair};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

/// The mean of `log(cosh(y_pred - y_true))` along the last axis: `[.., n]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    let error = b.sub(y_pred, y_true)?;
    // x + log(1 + exp(-2 x)) - log 2 does not overflow.
    let soft = b.scale(error, -2.0)?;
    let soft = b.unary(Function::Softplus, soft)?;
    let sum = b.add(error, soft)?;
    let value = b.with_number(Arithmetic::Sub, sum, std::f64::consts::LN_2)?;
    mean(b, value)
}
