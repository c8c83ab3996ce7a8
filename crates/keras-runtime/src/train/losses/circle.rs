//! `Circle`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::DType;

use super::complement;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::logsumexp;
use crate::ops::{Arithmetic, Connective, Function, Relation};

/// How far embeddings of the same class are apart and those of different classes are not: labels
/// `[batch]` or `[batch, 1]` and unit vectors `[batch, n]` to `[batch]`. Samples whose loss is 0
/// are masked.
pub(crate) fn values(
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
    (gamma, margin, remove_diagonal): (f64, f64, bool),
) -> Result<Value> {
    let &[batch, _] = b.shape(y_pred) else {
        return Err(b.error(format!("takes embeddings [batch, n], not {:?}", b.shape(y_pred))));
    };
    let similarity = b.matmul_transposed(y_pred, y_pred)?;
    let distance = complement(b, similarity)?;
    let distance = b.with_number(Arithmetic::Max, distance, 0.0)?;

    let labels = b.cast(y_true, DType::Int32)?;
    if !matches!(*b.shape(labels), [n] | [n, 1] if n == batch) {
        return Err(b.error(format!("takes a label for each embedding, not {:?}", b.shape(labels))));
    }
    let labels = b.reshape(labels, [batch, 1])?;
    let others = b.reshape(labels, [1, batch])?;
    let same = b.compare(Relation::Equal, labels, others)?;
    let different = b.not(same)?;
    let same = if remove_diagonal {
        let rows = b.indices(0..batch)?;
        let column = b.expand(rows, 1)?;
        let off = b.compare(Relation::NotEqual, column, rows)?;
        b.logic(Connective::And, same, off)?
    } else {
        same
    };

    // What pairs of a class add: -gamma · [margin + d] · (margin - d).
    let weight = b.with_number(Arithmetic::Add, distance, margin)?;
    let short = b.with_number(Arithmetic::Sub, distance, margin)?;
    let near = weighted(b, weight, short, same, gamma)?;
    // What pairs of two classes add: gamma · [1 + margin - d] · (1 - margin - d).
    let far = b.unary(Function::Neg, distance)?;
    let weight = b.with_number(Arithmetic::Add, far, 1.0 + margin)?;
    let short = b.with_number(Arithmetic::Add, far, 1.0 - margin)?;
    let far = weighted(b, weight, short, different, gamma)?;

    let sum = b.add(near, far)?;
    let loss = b.unary(Function::Softplus, sum)?;
    let counts = b.compare_number(Relation::Greater, loss, 0.0)?;
    b.set_mask(loss, Some(counts));
    Ok(loss)
}

/// The logarithm of the sum of `exp(gamma · [weight] · distance)` over the pairs of a row that
/// count.
fn weighted(
    b: &mut Builder<'_>,
    weight: Value,
    distance: Value,
    counts: Value,
    gamma: f64,
) -> Result<Value> {
    let as_number = b.cast(counts, b.dtype(weight))?;
    let weight = b.mul(weight, as_number)?;
    let weight = b.with_number(Arithmetic::Max, weight, 0.0)?;
    let weight = b.with_number(Arithmetic::Mul, weight, gamma)?;
    let value = b.mul(weight, distance)?;
    let nothing = b.scalar(f64::NEG_INFINITY, b.dtype(value))?;
    let value = b.select(counts, value, nothing)?;
    logsumexp(b, value, &[1], false)
}
