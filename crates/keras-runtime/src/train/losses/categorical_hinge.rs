//! `CategoricalHinge`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use super::complement;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Reduction};

/// `max(neg - pos + 1, 0)` with the sum `pos` of `y_true · y_pred` and the largest `neg` of
/// `(1 - y_true) · y_pred`: `[.., classes]` to `[..]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    let yes = b.mul(y_true, y_pred)?;
    let axis = b.axis(yes, -1)?;
    let yes = b.sum(yes, &[axis], false)?;
    let not = complement(b, y_true)?;
    let not = b.mul(not, y_pred)?;
    let not = b.reduce(Reduction::Max, not, &[axis], false)?;
    let margin = b.sub(not, yes)?;
    let margin = b.with_number(Arithmetic::Add, margin, 1.0)?;
    b.with_number(Arithmetic::Max, margin, 0.0)
}
