//! `CategoricalFocalCrossentropy`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::compile::OneOrMany;

use super::categorical_crossentropy::smoothed;
use super::complement;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};
use crate::train::EPSILON;

/// The arguments of the class.
pub(crate) struct Focus<'c> {
    pub(crate) alpha: &'c OneOrMany,
    pub(crate) gamma: f64,
    pub(crate) from_logits: bool,
    pub(crate) label_smoothing: f64,
    pub(crate) axis: i64,
}

/// The cross-entropy of chances along an axis, in which a class counts the less the surer it is.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    focus: &Focus<'_>,
) -> Result<Value> {
    let y_true = smoothed(b, y_true, y_pred, focus.label_smoothing)?;
    let axis = b.axis(y_pred, focus.axis)?;
    let y_pred = if focus.from_logits { b.softmax(y_pred, axis, false)? } else { y_pred };
    let sum = b.sum(y_pred, &[axis], true)?;
    let chances = b.div(y_pred, sum)?;
    let chances = b.unary(Function::Clip(EPSILON, 1.0 - EPSILON), chances)?;
    let log = b.unary(Function::Log, chances)?;
    let product = b.mul(y_true, log)?;
    let value = b.unary(Function::Neg, product)?;
    let wrong = complement(b, chances)?;
    let factor = b.with_number(Arithmetic::Pow, wrong, focus.gamma)?;
    let alpha = match focus.alpha {
        OneOrMany::One(alpha) => b.scalar(*alpha, b.dtype(factor))?,
        OneOrMany::Many(all) => b.numbers([all.len()], all.clone(), b.dtype(factor))?,
    };
    let factor = b.mul(factor, alpha)?;
    let value = b.mul(factor, value)?;
    b.sum(value, &[axis], false)
}
