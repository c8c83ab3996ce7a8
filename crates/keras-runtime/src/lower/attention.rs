//! `Attention`, and what it shares with `AdditiveAttention`.

use keras_model::DType;
use keras_model::layers::attention::{Attention, ScoreMode};

use super::{Call, dropout};
use crate::graph::{Builder, Value};
use crate::ops::{Connective, Function};
use crate::{Result, Tensor};

pub(super) fn lower(layer: &Attention, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let scale = if layer.use_scale { Some(b.weight("scale")?) } else { None };
    attend(b, call, layer.dropout.0, |b, query, key| match layer.score_mode {
        ScoreMode::Dot => {
            let scores = b.matmul_transposed(query, key)?;
            match scale {
                Some(scale) => b.mul(scores, scale),
                None => Ok(scores),
            }
        }
        ScoreMode::Concat => {
            let mut sum = sums(b, query, key)?;
            if let Some(scale) = scale {
                sum = b.mul(scale, sum)?;
            }
            let sum = b.unary(Function::Tanh, sum)?;
            let last = b.axis(sum, -1)?;
            let scores = b.sum(sum, &[last], false)?;
            let weight = b.weight("concat_score_weight")?;
            b.mul(weight, scores)
        }
    })
}

/// `query + key` for each pair of steps.
pub(super) fn sums(b: &mut Builder<'_>, query: Value, key: Value) -> Result<Value> {
    let (q, k) = (b.rank(query).saturating_sub(1), b.rank(key).saturating_sub(2));
    let (query, key) = (b.expand(query, q)?, b.expand(key, k)?);
    b.add(query, key)
}

/// Attention with the given scores.
pub(super) fn attend(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    rate: f64,
    scores: impl FnOnce(&mut Builder<'_>, Value, Value) -> Result<Value>,
) -> Result<Vec<Value>> {
    let (query, value, key) = match *call.tensors() {
        [query, value] => (query, value, value),
        [query, value, key, ..] => (query, value, key),
        _ => return Err(b.error("takes a list of query, value and maybe key")),
    };
    let masks = call.masks(b);
    let of = |i: usize| masks.get(i).copied().flatten();
    let mut scores = scores(b, query, key)?;
    let value_mask = of(1).map(|mask| b.expand(mask, b.rank(mask).saturating_sub(1)));
    let mut mask = value_mask.transpose()?;
    if call.flag("use_causal_mask", 4) {
        let (queries, keys) = (b.dim(scores, -2)?, b.dim(scores, -1)?);
        let causal = causal(b, queries, keys)?;
        mask = Some(and(b, mask, causal)?);
    }
    if let Some(mask) = mask {
        let low = if b.dtype(scores) == DType::Float16 { 65504.0 } else { 1e9 };
        let low = b.with_number(crate::ops::Arithmetic::Sub, scores, low)?;
        scores = b.select(mask, scores, low)?;
    }
    let last = b.axis(scores, -1)?;
    let weights = b.softmax(scores, last, false)?;
    let shape = b.shape(weights).to_vec();
    let weights = dropout::dropout(b, weights, rate, &shape)?;
    let mut y = b.matmul(weights, value)?;
    if let Some(mask) = of(0) {
        let mask = b.expand(mask, b.rank(mask))?;
        let zero = b.scalar(0.0, b.dtype(y))?;
        y = b.select(mask, y, zero)?;
    }
    let mut out = vec![y];
    if call.flag("return_attention_scores", 3) {
        out.push(weights);
    }
    Ok(out)
}

/// Whether a query may see a key: `[1, queries, keys]`, no key behind the query.
pub(super) fn causal(b: &mut Builder<'_>, queries: usize, keys: usize) -> Result<Value> {
    pairs(b, queries, keys, |i, j| i >= j)
}

/// A mask of all pairs of steps: `[1, queries, keys]`.
pub(super) fn pairs(
    b: &mut Builder<'_>,
    queries: usize,
    keys: usize,
    f: impl Fn(usize, usize) -> bool,
) -> Result<Value> {
    b.check_value("mask", &[queries, keys], DType::Bool)?;
    let f = &f;
    let all = (0..queries).flat_map(|i| (0..keys).map(move |j| f(i, j)));
    let tensor = Tensor::new([1, queries, keys], all.collect::<Vec<bool>>())?;
    Ok(b.constant(tensor))
}

/// Both masks, as far as there are two.
pub(super) fn and(b: &mut Builder<'_>, mask: Option<Value>, other: Value) -> Result<Value> {
    match mask {
        Some(mask) => b.logic(Connective::And, mask, other),
        None => Ok(other),
    }
}
