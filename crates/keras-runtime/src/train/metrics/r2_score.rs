//! `R2Score`. Source: `keras/src/metrics/regression_metrics.py`, Keras 3.15.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Relation, size};
use crate::train::losses::reduce;

/// What a batch adds to `num_samples`, `squared_sum`, `sum`, `residual` and `count`: a number, then
/// `[outputs]` each.
pub(super) fn add(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    weight: Option<Value>,
    dtype: DType,
) -> Result<Vec<Value>> {
    let (y_true, y_pred) = (b.cast(y_true, dtype)?, b.cast(y_pred, dtype)?);
    let (y_true, y_pred) = reduce::same_rank(b, y_true, y_pred, true)?;
    if (b.rank(y_true), b.rank(y_pred)) != (2, 2) {
        let (y_true, y_pred) = (b.shape(y_true), b.shape(y_pred));
        return Err(b.error(format!("takes [batch, outputs], not {y_true:?} and {y_pred:?}")));
    }
    let shape = b.shape(y_true).to_vec();
    let weight = match weight {
        Some(weight) => {
            let weight = b.cast(weight, dtype)?;
            let weight = if b.rank(weight) == 1 { b.expand(weight, 1)? } else { weight };
            b.broadcast_to(weight, shape.clone())?
        }
        None => b.full(shape.clone(), 1.0, dtype)?,
    };
    let weighted = b.mul(y_true, weight)?;
    let squares = b.mul(y_true, weighted)?;
    let error = b.binary(Arithmetic::SquaredDifference, y_true, y_pred)?;
    let error = b.mul(error, weight)?;
    let samples = b.scalar(size(&shape) as f64, DType::Float32)?;
    let mut sums = vec![samples];
    for x in [squares, weighted, error, weight] {
        let sum = b.sum(x, &[0], false)?;
        sums.push(b.cast(sum, DType::Float32)?);
    }
    Ok(sums)
}

/// The share of the variance that is explained: of each output, or one of all.
pub(super) fn result(
    b: &mut Builder<'_>,
    [samples, squares, sum, residual, count]: [Value; 5],
    class_aggregation: Option<&str>,
    num_regressors: usize,
) -> Result<Value> {
    let mean = b.div(sum, count)?;
    let of_mean = b.mul(sum, mean)?;
    let total = b.sub(squares, of_mean)?;
    let rest = b.div(residual, total)?;
    let one = b.scalar(1.0, DType::Float32)?;
    let zero = b.scalar(0.0, DType::Float32)?;
    let score = b.sub(one, rest)?;
    let size = b.unary(Function::Abs, score)?;
    let is_infinite = b.compare_number(Relation::Equal, size, f64::INFINITY)?;
    let score = b.select(is_infinite, zero, score)?;
    let score = match class_aggregation {
        None => score,
        Some("uniform_average") => b.mean(score, &[0], false)?,
        Some("variance_weighted_average") => {
            let weighted = b.mul(total, score)?;
            let (sum, all) = (b.sum(weighted, &[0], false)?, b.sum(total, &[0], false)?);
            b.div(sum, all)?
        }
        Some(other) => return Err(b.error(format!("no class_aggregation {other:?}"))),
    };
    if num_regressors == 0 {
        return Ok(score);
    }
    // With too few samples the score is not adjusted.
    let degrees = b.with_number(Arithmetic::Sub, samples, 1.0)?;
    let left = b.with_number(Arithmetic::Sub, degrees, num_regressors as f64)?;
    let is_enough = b.compare_number(Relation::Greater, left, 0.0)?;
    let rest = b.sub(one, score)?;
    let rest = b.mul(rest, degrees)?;
    let rest = b.div(rest, left)?;
    let adjusted = b.sub(one, rest)?;
    b.select(is_enough, adjusted, score)
}
