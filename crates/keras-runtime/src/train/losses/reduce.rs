//! How the values of a batch become one number. Source: `keras/src/losses/loss.py`, Keras 3.15.

use keras_model::DType;
use keras_model::compile::Reduction;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Connective, size};

/// Two tensors with as many axes, if one has an axis of length 1 more at its end: it goes, or comes
/// to the other one if that has one axis only and `expands`. `squeeze_or_expand_to_same_rank`.
pub(crate) fn same_rank(
    b: &mut Builder<'_>,
    first: Value,
    second: Value,
    expands: bool,
) -> Result<(Value, Value)> {
    let (m, n) = (b.rank(first), b.rank(second));
    let mut fit = |long: Value, short: Value| {
        if b.shape(long).last() != Some(&1) {
            Ok((long, short))
        } else if b.rank(short) == 1 && expands {
            Ok((long, b.expand(short, 1)?))
        } else {
            Ok((b.at(long, b.rank(long) - 1, 0)?, short))
        }
    };
    if m == n + 1 {
        fit(first, second)
    } else if n == m + 1 {
        fit(second, first).map(|(second, first)| (first, second))
    } else {
        Ok((first, second))
    }
}

/// The weights of the values in which a mask takes part: where it does not hold, values weigh
/// nothing; where it holds and the sum is divided by the number of values, they weigh more.
pub(crate) fn masked_weight(
    b: &mut Builder<'_>,
    weight: Option<Value>,
    mask: Option<Value>,
    dtype: DType,
    reduction: Reduction,
) -> Result<Option<Value>> {
    let Some(mask) = mask else { return Ok(weight) };
    let mut mask = b.cast(mask, dtype)?;
    if reduction == Reduction::SumOverBatchSize {
        let all = b.scalar(size(b.shape(mask)) as f64, dtype)?;
        let axes: Vec<usize> = (0..b.rank(mask)).collect();
        let valid = b.sum(mask, &axes, false)?;
        let share = b.binary(Arithmetic::DivNoNan, all, valid)?;
        let zero = b.scalar(0.0, dtype)?;
        mask = b.select(mask, share, zero)?;
    }
    let Some(weight) = weight else { return Ok(Some(mask)) };
    let weight = b.cast(weight, dtype)?;
    let (mask, weight) = same_rank(b, mask, weight, true)?;
    b.mul(weight, mask).map(Some)
}

/// Both masks, if there are two.
pub(crate) fn both_masks(
    b: &mut Builder<'_>,
    first: Option<Value>,
    second: Option<Value>,
) -> Result<Option<Value>> {
    match (first, second) {
        (Some(first), Some(second)) => b.logic(Connective::And, first, second).map(Some),
        (first, second) => Ok(first.or(second)),
    }
}

/// The values of a batch as one number, or as they are if nothing is to be done with them but weigh
/// them: `reduce_weighted_values`.
pub(crate) fn weighted(
    b: &mut Builder<'_>,
    values: Value,
    weight: Option<Value>,
    mask: Option<Value>,
    reduction: Reduction,
) -> Result<Value> {
    let dtype = b.dtype(values);
    let weight = masked_weight(b, weight, mask, dtype, reduction)?;
    let (values, weight) = match weight {
        Some(weight) => {
            let weight = b.cast(weight, dtype)?;
            let (values, weight) = same_rank(b, values, weight, true)?;
            (b.mul(values, weight)?, Some(weight))
        }
        None => (values, None),
    };
    if reduction == Reduction::None || matches!(b.shape(values), [] | [0]) {
        return Ok(values);
    }
    let all = |b: &mut Builder<'_>, x: Value| {
        let axes: Vec<usize> = (0..b.rank(x)).collect();
        b.sum(x, &axes, false)
    };
    let sum = all(b, values)?;
    let divisor = match (reduction, weight) {
        (Reduction::Sum | Reduction::None, _) => return Ok(sum),
        (Reduction::MeanWithSampleWeight, Some(weight)) => all(b, weight)?,
        _ => b.scalar(size(b.shape(values)) as f64, dtype)?,
    };
    b.binary(Arithmetic::DivNoNan, sum, divisor)
}
