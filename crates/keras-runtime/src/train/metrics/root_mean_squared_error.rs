//! `RootMeanSquaredError`. Source: `keras/src/metrics/regression_metrics.py`, Keras 3.15.

use keras_model::DType;

use super::mean;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};
use crate::train::losses::reduce;

/// What a batch adds to `total` and `count`.
pub(super) fn add(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    weight: Option<Value>,
    dtype: DType,
) -> Result<Vec<Value>> {
    let (y_true, y_pred) = (b.cast(y_true, dtype)?, b.cast(y_pred, dtype)?);
    let (y_true, y_pred) = reduce::same_rank(b, y_true, y_pred, true)?;
    let squares = b.binary(Arithmetic::SquaredDifference, y_pred, y_true)?;
    mean::add(b, squares, weight, dtype)
}

/// `sqrt(total / count)`
pub(super) fn result(b: &mut Builder<'_>, variables: [Value; 2]) -> Result<Value> {
    let mean = mean::result(b, variables)?;
    b.unary(Function::Sqrt, mean)
}
