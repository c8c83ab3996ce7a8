//! The accuracy family: 1 where a prediction is right, 0 elsewhere. Source:
//! `keras/src/metrics/accuracy_metrics.py`, Keras 3.15.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::in_top_k;
use crate::ops::{Relation, size};
use crate::train::losses::{pair, reduce};

/// `Accuracy`: where both are equal.
pub(super) fn equal(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let (y_true, y_pred) = pair(b, y_true, y_pred)?;
    matches(b, y_true, y_pred)
}

/// `BinaryAccuracy`: where a chance over the threshold is a label.
pub(super) fn binary(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    threshold: f64,
) -> Result<Value> {
    let (y_true, y_pred) = reduce::same_rank(b, y_true, y_pred, true)?;
    let over = b.compare_number(Relation::Greater, y_pred, threshold)?;
    let over = b.cast(over, b.dtype(y_true))?;
    matches(b, y_true, over)
}

/// `CategoricalAccuracy`: where the largest of the targets is the largest of the predictions.
pub(super) fn categorical(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let mut y_true = largest(b, y_true)?;
    let shape = b.shape(y_true).to_vec();
    if b.rank(y_true) == b.rank(y_pred) {
        y_true = b.at(y_true, shape.len().saturating_sub(1), 0)?;
    }
    let y_pred = largest(b, y_pred)?;
    let matches = matches(b, y_true, y_pred)?;
    if b.rank(matches) + 1 == shape.len() { b.reshape(matches, shape) } else { Ok(matches) }
}

/// `SparseCategoricalAccuracy`: where the label is the place of the largest prediction.
pub(super) fn sparse(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let mut y_true = b.cast(y_true, b.dtype(y_pred))?;
    if b.rank(y_true) == b.rank(y_pred) && b.dim(y_true, -1)? == 1 {
        y_true = b.at(y_true, b.rank(y_true) - 1, 0)?;
    }
    let y_pred = largest(b, y_pred)?;
    let y_pred = b.cast(y_pred, b.dtype(y_true))?;
    let matches = matches(b, y_true, y_pred)?;
    let last = b.rank(matches).saturating_sub(1);
    if last > 0 && b.dim(matches, -1)? == 1 { b.at(matches, last, 0) } else { Ok(matches) }
}

/// `TopKCategoricalAccuracy`: where the largest of the targets is among the `k` largest predictions.
pub(super) fn top_k(b: &mut Builder<'_>, y_true: Value, y_pred: Value, k: usize) -> Result<Value> {
    let y_true = largest(b, y_true)?;
    sparse_top_k(b, y_true, y_pred, k, false)
}

/// `SparseTopKCategoricalAccuracy`: where the label is among the `k` largest predictions, or among the
/// first `k` if these are classes, the likeliest first.
pub(super) fn sparse_top_k(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    k: usize,
    from_sorted_ids: bool,
) -> Result<Value> {
    let shape = b.shape(y_true).to_vec();
    let classes = b.dim(y_pred, -1)?;
    let y_pred = if b.rank(y_pred) > 2 {
        let rows = size(b.shape(y_pred)).checked_div(classes).unwrap_or(0);
        b.reshape(y_pred, [rows, classes])?
    } else {
        y_pred
    };
    let y_true = b.reshape(y_true, [size(&shape)])?;
    let matches = if from_sorted_ids {
        let y_true = b.cast(y_true, b.dtype(y_pred))?;
        let y_true = b.expand(y_true, 1)?;
        let first = b.slice(y_pred, 1, 0, k.min(classes))?;
        let hits = b.compare(Relation::Equal, y_true, first)?;
        b.any(hits, &[1], false)?
    } else {
        let y_true = b.cast(y_true, DType::Int32)?;
        in_top_k(b, y_true, y_pred, k as f64)?
    };
    let matches = b.cast(matches, DType::Float32)?;
    b.reshape(matches, shape)
}

/// The place of the largest along the last axis.
fn largest(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let axis = b.axis(x, -1)?;
    b.arg_reduce(x, axis, true)
}

fn matches(b: &mut Builder<'_>, x: Value, y: Value) -> Result<Value> {
    let equal = b.compare(Relation::Equal, x, y)?;
    b.cast(equal, DType::Float32)
}
