//! `Mean`, `Sum`, and the mean of what a function gives. Source:
//! `keras/src/metrics/reduction_metrics.py`, Keras 3.15.

use keras_model::DType;
use keras_model::compile::Reduction as LossReduction;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Reduction};
use crate::train::losses::reduce;

/// What `Sum` adds to its `total`.
pub(super) fn add_sum(
    b: &mut Builder<'_>,
    values: Value,
    weight: Option<Value>,
    dtype: DType,
) -> Result<Vec<Value>> {
    let (values, _) = samplewise(b, values, weight, Reduction::Sum, dtype)?;
    Ok(vec![all(b, values)?])
}

/// What `Mean` adds to its `total` and `count`.
pub(super) fn add(
    b: &mut Builder<'_>,
    values: Value,
    weight: Option<Value>,
    dtype: DType,
) -> Result<Vec<Value>> {
    let (values, weight) = samplewise(b, values, weight, Reduction::Mean, dtype)?;
    let count = match weight {
        Some(weight) => all(b, weight)?,
        None => b.scalar(b.shape(values).first().map_or(1.0, |n| *n as f64), dtype)?,
    };
    Ok(vec![all(b, values)?, count])
}

/// What the mean of a function's values adds: where the predictions are masked they weigh nothing.
/// `MeanMetricWrapper`.
pub(super) fn add_masked(
    b: &mut Builder<'_>,
    values: Value,
    mask: Option<Value>,
    weight: Option<Value>,
    dtype: DType,
) -> Result<Vec<Value>> {
    let weight = reduce::masked_weight(b, weight, mask, dtype, LossReduction::Sum)?;
    add(b, values, weight, dtype)
}

/// `total / count`
pub(super) fn result(b: &mut Builder<'_>, [total, count]: [Value; 2]) -> Result<Value> {
    b.binary(Arithmetic::DivNoNan, total, count)
}

fn all(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let axes: Vec<usize> = (0..b.rank(x)).collect();
    b.sum(x, &axes, false)
}

/// One weighted value for each sample, and its weight: `reduce_to_samplewise_values`.
fn samplewise(
    b: &mut Builder<'_>,
    values: Value,
    weight: Option<Value>,
    how: Reduction,
    dtype: DType,
) -> Result<(Value, Option<Value>)> {
    let mask = b.mask(values);
    let mut values = b.cast(values, dtype)?;
    let mut weight = weight.map(|weight| b.cast(weight, dtype)).transpose()?;
    if let Some(given) = weight {
        let masked = reduce::masked_weight(b, Some(given), mask, dtype, LossReduction::Sum)?;
        let (fitting, mut given) = reduce::same_rank(b, values, masked.unwrap_or(given), true)?;
        let axes: Vec<usize> = (b.rank(given)..b.rank(fitting)).collect();
        values = b.reduce(how, fitting, &axes, false)?;
        given = b.broadcast_to(given, b.shape(values).to_vec())?;
        values = b.mul(values, given)?;
        let axes: Vec<usize> = (1..b.rank(given)).collect();
        weight = Some(b.reduce(how, given, &axes, false)?);
    }
    let axes: Vec<usize> = (1..b.rank(values)).collect();
    Ok((b.reduce(how, values, &axes, false)?, weight))
}
