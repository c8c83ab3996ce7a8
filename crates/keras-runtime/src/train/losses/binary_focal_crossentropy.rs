//! `BinaryFocalCrossentropy`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::compile::Axes;

use super::binary_crossentropy::smoothed;
use super::{complement, mean_over};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::crossentropy;
use crate::ops::{Arithmetic, Function};

/// The arguments of the class.
pub(crate) struct Focus<'c> {
    pub(crate) apply_class_balancing: bool,
    pub(crate) alpha: f64,
    pub(crate) gamma: f64,
    pub(crate) from_logits: bool,
    pub(crate) label_smoothing: f64,
    pub(crate) axis: Option<&'c Axes>,
}

/// The mean over some axes of cross-entropies of yes and no that count the less the surer a
/// prediction is right.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    focus: &Focus<'_>,
) -> Result<Value> {
    let y_true = smoothed(b, y_true, y_pred, focus.label_smoothing)?;
    let y_pred = if focus.from_logits { b.unary(Function::Sigmoid, y_pred)? } else { y_pred };
    let value = crossentropy::binary(b, y_true, y_pred, false)?;
    let (not_true, not_pred) = (complement(b, y_true)?, complement(b, y_pred)?);
    let (yes, no) = (b.mul(y_true, y_pred)?, b.mul(not_true, not_pred)?);
    let right = b.add(yes, no)?;
    let wrong = complement(b, right)?;
    let factor = b.with_number(Arithmetic::Pow, wrong, focus.gamma)?;
    let mut value = b.mul(factor, value)?;
    if focus.apply_class_balancing {
        let (yes, no) = (b.scale(y_true, focus.alpha)?, b.scale(not_true, 1.0 - focus.alpha)?);
        let weight = b.add(yes, no)?;
        value = b.mul(weight, value)?;
    }
    mean_over(b, value, focus.axis)
}
