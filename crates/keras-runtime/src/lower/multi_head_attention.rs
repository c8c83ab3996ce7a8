//! `MultiHeadAttention`, and what it shares with `GroupedQueryAttention`.

use keras_model::layers::multi_head_attention::MultiHeadAttention;

use super::einsum::einsum;
use super::{Call, attention, axes, dense, dropout, recurrent, softmax};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::size;
use crate::train::regularizers;

pub(super) fn lower(
    layer: &MultiHeadAttention,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let heads = Heads::new(b, call)?;
    if b.is_keras3() {
        // Keras 3 takes the masks from the tensors themselves, for all that is called later.
        [heads.query, heads.value, heads.key].into_iter().for_each(|x| b.set_mask(x, None));
    }
    let project =
        |b: &mut Builder<'_>, name: &str, x: Value| project(b, call, name, x, 1, layer.use_bias);
    let query = project(b, "query", heads.query)?;
    let key = project(b, "key", heads.key)?;
    let value = project(b, "value", heads.value)?;
    let axes = match &layer.attention_axes {
        None => (1..b.rank(query).saturating_sub(2)).collect(),
        // Counted before the heads are split off.
        Some(axes) => axes::of(b, heads.query, axes)?,
    };
    let returns = call.flag("return_attention_scores", 7);
    let direct = layer.dropout.0 == 0.0 && !returns && b.rank(query) == 4;
    let mask = heads.mask(b, call, layer.sliding_window)?;
    let scale = 1.0 / (layer.key_dim as f64).sqrt();
    let (mut y, scores) =
        attend(b, [query, key, value], mask, &axes, scale, direct, layer.dropout.0)?;
    if layer.use_gate {
        let gate = project(b, "gate", heads.query)?;
        let gate = b.unary(crate::ops::Function::Sigmoid, gate)?;
        y = b.mul(y, gate)?;
    }
    let y = self::project(b, call, "attention_output", y, 2, layer.use_bias)?;
    let mut out = vec![y];
    if returns {
        out.push(scores);
    }
    Ok(out)
}

/// The tensors of a call and the masks they came with.
pub(super) struct Heads {
    pub(super) query: Value,
    pub(super) value: Value,
    pub(super) key: Value,
    masks: [Option<Value>; 3],
}

impl Heads {
    pub(super) fn new(b: &Builder<'_>, call: &Call<'_>) -> Result<Self> {
        if call.base.dtype.quantization.is_some() {
            return Err(b.unsupported("quantisation"));
        }
        let query = call.argument("query", 0);
        let value = call.argument("value", 1);
        let (Some(query), Some(value)) = (query, value) else {
            return Err(b.error("takes query, value and maybe key"));
        };
        let key = call.argument("key", 2);
        let mask = |name: &str, x: Value| call.keyword(name).or_else(|| b.mask(x));
        let masks = [
            mask("query_mask", query),
            mask("value_mask", value),
            key.filter(|key| *key != value).and_then(|key| mask("key_mask", key)),
        ];
        Ok(Self { query, value, key: key.unwrap_or(value), masks })
    }

    /// What queries may see of the keys: `[batch, queries, keys]`.
    pub(super) fn mask(
        &self,
        b: &mut Builder<'_>,
        call: &Call<'_>,
        window: Option<usize>,
    ) -> Result<Option<Value>> {
        let mut all = call.argument("attention_mask", 6);
        for (i, mask) in self.masks.into_iter().enumerate() {
            let Some(mask) = mask else { continue };
            // The steps of the query are rows, those of value and key columns.
            let at = if i == 0 { b.rank(mask) } else { b.rank(mask).saturating_sub(1) };
            let mask = b.expand(mask, at)?;
            all = Some(attention::and(b, all, mask)?);
        }
        let (queries, keys) = (b.dim(self.query, 1)?, b.dim(self.value, 1)?);
        if call.flag("use_causal_mask", 9) {
            let causal = attention::causal(b, queries, keys)?;
            all = Some(attention::and(b, all, causal)?);
        }
        if let Some(window) = window {
            let near = attention::pairs(b, queries, keys, |i, j| i.abs_diff(j) < window)?;
            all = Some(attention::and(b, all, near)?);
        }
        Ok(all)
    }
}

/// The product with the kernel of a sublayer, summed over the last `bound` axes of `x`.
pub(super) fn project(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    name: &str,
    x: Value,
    bound: usize,
    use_bias: bool,
) -> Result<Value> {
    if call.base.dtype.of_sublayer(&call.base.name, name).quantization.is_some() {
        return Err(b.unsupported(format!("quantisation of its part {name:?}")));
    }
    recurrent::in_cell(b, call, name, |b| {
        let kernel = b.weight("kernel")?;
        let (shape, from) = (b.shape(kernel).to_vec(), b.shape(x).to_vec());
        let (inner, outer) = shape.split_at(bound.min(shape.len()));
        let kept = from.get(..from.len().saturating_sub(bound)).unwrap_or_default();
        let matrix = b.reshape(kernel, [size(inner), size(outer)])?;
        let rows = b.reshape(x, [kept, &[size(inner)]].concat())?;
        let mut y = dense::product(b, rows, matrix)?;
        if use_bias {
            let bias = b.weight("bias")?;
            let bias = b.reshape(bias, [size(outer)])?;
            y = b.add(y, bias)?;
        }
        let y = b.reshape(y, [kept, outer].concat())?;
        regularizers::add_penalties(b, call.base.activity_regularizer.as_ref(), &[y])?;
        Ok(y)
    })
}

/// Attention of several heads: `[batch, .., heads, features]` each. The result, and the weights
/// `[batch, heads, queries.., keys..]`; in training a share `rate` of them is dropped in the result.
pub(super) fn attend(
    b: &mut Builder<'_>,
    [query, key, value]: [Value; 3],
    mask: Option<Value>,
    axes: &[usize],
    scale: f64,
    direct: bool,
    rate: f64,
) -> Result<(Value, Value)> {
    let rank = b.rank(query);
    let target: Vec<char> = ('a'..='z').take(rank).collect();
    let source: Vec<char> = target
        .iter()
        .enumerate()
        .map(|(i, c)| if axes.contains(&i) { c.to_ascii_uppercase() } else { *c })
        .collect();
    let letter = |all: &[char], of: &mut dyn Iterator<Item = usize>| -> String {
        of.filter_map(|i| all.get(i)).collect()
    };
    let last = rank.saturating_sub(1);
    let batch = letter(&target, &mut (0..last).filter(|i| !axes.contains(i)));
    let product = [
        batch,
        letter(&target, &mut axes.iter().copied()),
        letter(&source, &mut axes.iter().copied()),
    ]
    .concat();
    let (target, source): (String, String) = (target.iter().collect(), source.iter().collect());
    let query = b.scale(query, scale)?;
    let mut scores = einsum(b, &format!("{target},{source}->{product}"), &[query, key])?;
    let first = b.rank(scores).saturating_sub(axes.len());
    let mask = mask.map(|mask| {
        let mut shape = b.shape(mask).to_vec();
        let at = shape.len().saturating_sub(2 * axes.len());
        while shape.len() < b.rank(scores) {
            shape.insert(at, 1);
        }
        b.reshape(mask, shape)
    });
    let mask = mask.transpose()?;
    if let Some(mask) = mask {
        scores = softmax::masked(b, scores, mask)?;
    }
    let all: Vec<usize> = (first..b.rank(scores)).collect();
    let mut weights = softmax::over(b, scores, &all)?;
    if let Some(mask) = mask.filter(|_| !direct && b.is_keras3()) {
        // Where nothing is to be seen the layer `Softmax` gives nothing.
        let zero = b.scalar(0.0, b.dtype(weights))?;
        weights = b.select(mask, weights, zero)?;
    }
    let shape = b.shape(weights).to_vec();
    let kept = dropout::dropout(b, weights, rate, &shape)?;
    let y = einsum(b, &format!("{product},{source}->{target}"), &[kept, value])?;
    Ok((y, weights))
}
