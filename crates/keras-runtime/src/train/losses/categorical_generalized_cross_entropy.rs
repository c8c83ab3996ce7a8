//! `CategoricalGeneralizedCrossEntropy`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::DType;

use super::complement;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

/// `(1 - p^q) / q` with the chance `p` of the right class: labels `[..]` and chances
/// `[.., classes]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value, q: f64) -> Result<Value> {
    if !(q > 0.0 && q < 1.0) {
        return Err(b.error(format!("q must be between 0 and 1, not {q}")));
    }
    let classes = b.dim(y_pred, -1)?;
    let labels = b.cast(y_true, DType::Int32)?;
    let labels = b.one_hot(labels, classes, b.dtype(y_pred))?;
    let product = b.mul(y_pred, labels)?;
    let axis = b.axis(product, -1)?;
    let right = b.sum(product, &[axis], false)?;
    let power = b.with_number(Arithmetic::Pow, right, q)?;
    let rest = complement(b, power)?;
    b.with_number(Arithmetic::Div, rest, q)
}
