//! `SparseCategoricalCrossentropy`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::crossentropy;
use crate::ops::Relation;

/// The cross-entropy of the chances of right classes along the last axis: labels `[..]` or
/// `[.., 1]` and chances `[.., classes]` to `[..]`. Labels of a class that is ignored give 0 and
/// are masked.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    (from_logits, ignore_class, axis): (bool, Option<i64>, i64),
) -> Result<Value> {
    let axis = b.axis(y_pred, axis)?;
    if axis + 1 != b.rank(y_pred) {
        return Err(b.error("axis must be the last one"));
    }
    let mut y_true = y_true;
    if b.rank(y_true) == b.rank(y_pred) && b.dim(y_true, -1)? == 1 {
        y_true = b.at(y_true, axis, 0)?;
    }
    let Some(ignored) = ignore_class else {
        return crossentropy::sparse_categorical(b, y_true, y_pred, from_logits);
    };
    let valid = b.compare_number(Relation::NotEqual, y_true, ignored as f64)?;
    let zero = b.scalar(0.0, b.dtype(y_true))?;
    let y_true = b.select(valid, y_true, zero)?;
    let zero = b.scalar(0.0, b.dtype(y_pred))?;
    let of_classes = b.expand(valid, axis)?;
    let y_pred = b.select(of_classes, y_pred, zero)?;
    let value = crossentropy::sparse_categorical(b, y_true, y_pred, from_logits)?;
    let zero = b.scalar(0.0, b.dtype(value))?;
    let value = b.select(valid, value, zero)?;
    b.set_mask(value, Some(valid));
    Ok(value)
}
