//! `MultiHeadAttention`. Source: `keras/src/layers/attention/multi_head_attention.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::KernelAndBias;
use super::axes::Axes;
use super::einsum_dense::{EinsumDense, OutputShape};
use super::{LayerConfig, Mask, yes};
use crate::json::Float;
use crate::variables::{Sublayer, Variables};
use crate::{Base, Call, Dim, Inputs, KerasTensor, Result, Shape};

/// Attention of several heads side by side: called with query, value and maybe key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiHeadAttention {
    /// Number of heads.
    pub num_heads: usize,
    /// Features of query and key in each head.
    pub key_dim: usize,
    /// Features of the value in each head; `key_dim` by default.
    #[serde(default)]
    pub value_dim: Option<usize>,
    /// Share of the weights that is dropped while training.
    #[serde(default)]
    pub dropout: Float,
    /// Whether the projections have a bias.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// Whether `sigmoid` of a further projection of the query multiplies the result.
    #[serde(default)]
    pub use_gate: bool,
    /// Features of the result; those of the query by default.
    #[serde(default)]
    pub output_shape: Option<OutputShape>,
    /// Axes over which attention goes; all but batch, heads and features by default.
    #[serde(default)]
    pub attention_axes: Option<Axes>,
    /// Whether a fused kernel is used: the result is the same.
    #[serde(default)]
    pub flash_attention: Option<bool>,
    /// How far a query looks; `None` for everywhere.
    #[serde(default)]
    pub sliding_window: Option<usize>,
    /// How kernel and bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: KernelAndBias,
    /// Seed of the dropout.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

/// Query, value and key of a call with two or three tensors.
pub(super) fn inputs<'a>(call: &Call<'a>) -> Result<[&'a KerasTensor; 3]> {
    let query = call.argument("query", 0);
    let value = call.argument("value", 1);
    let key = call.argument("key", 2).or(value);
    match (query, value, key) {
        (Some(query), Some(value), Some(key)) => Ok([query, value, key]),
        _ => Err(call.error("takes query, value and maybe key")),
    }
}

/// The projection of a tensor inside an attention layer: an `EinsumDense`.
pub(super) struct Projection {
    /// Attribute of the layer, under which files store it.
    pub(super) path: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// Shape of what it projects.
    pub(super) input: Shape,
    /// How many of the last axes it sums over.
    pub(super) bound: usize,
    /// The axes that come in their place.
    pub(super) output: Vec<usize>,
}

impl Projection {
    /// Its variables in the layer that `call` calls.
    pub(super) fn sublayer(&self, call: &Call<'_>, use_bias: bool) -> Result<Sublayer> {
        let free = self.input.rank().saturating_sub(self.bound);
        let letters = |from: usize, n: usize| -> String {
            ('a'..='z').chain('A'..='Z').skip(from).take(n).collect()
        };
        let after = free.saturating_add(self.bound);
        let (kept, summed) = (letters(0, free), letters(free, self.bound));
        let made = letters(after, self.output.len());
        if after.saturating_add(self.output.len()) > 52 {
            return Err(call.error("too many axes"));
        }
        let free_dims = std::iter::repeat_n(None, free.saturating_sub(1));
        let dims: Vec<Dim> = free_dims.chain(self.output.iter().copied().map(Some)).collect();
        let dense = EinsumDense::projection(
            format!("{kept}{summed},{summed}{made}->{kept}{made}"),
            OutputShape::Many(dims),
            use_bias.then_some(made),
        );
        let base = Base {
            class: "EinsumDense".into(),
            name: self.name.into(),
            dtype: call.base.dtype.of_sublayer(&call.base.name, self.name),
            ..call.base.clone()
        };
        let inputs = Inputs::one(KerasTensor::new(self.input.clone(), base.dtype.compute));
        let variables = dense.variables(&Call::new(&base, &inputs))?;
        Ok(Sublayer::of(self.path, &base, variables))
    }
}

impl MultiHeadAttention {
    fn value_dim(&self) -> usize {
        self.value_dim.unwrap_or(self.key_dim)
    }
}

impl LayerConfig for MultiHeadAttention {
    /// Query `[batch, queries, features]` and value `[batch, keys, ..]` to
    /// `[batch, queries, output_shape or features]`; with `return_attention_scores` also
    /// `[batch, heads, queries, keys]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let [query, value, key] = inputs(call)?;
        let steps = |t: &KerasTensor| t.shape.without(0).without(-1);
        if !steps(value).is_compatible(&steps(key)) {
            return Err(call.error(format!("value {} and key {}", value.shape, key.shape)));
        }
        let mut shape = query.shape.clone();
        if let Some(output) = &self.output_shape {
            shape = shape.without(-1);
            shape.0.extend(output.dims());
        }
        let mut out = call.output(shape);
        if call.flag("return_attention_scores", 7) {
            let axis = |t: &KerasTensor| t.shape.dim(1).flatten();
            let batch = query.shape.dim(0).flatten();
            out.extend(call.output([batch, Some(self.num_heads), axis(query), axis(key)]));
        }
        Ok(out)
    }

    /// `query`, `key`: `kernel [features, heads, key_dim]`, `bias [heads, key_dim]`; `value` (and
    /// `gate` after `key`) with `value_dim`; `attention_output`: `kernel [heads, value_dim, out..]`,
    /// `bias [out..]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let [query, value, key] = inputs(call)?;
        let heads = |n: usize| vec![self.num_heads, n];
        let of = |path, name, input: &KerasTensor, output| Projection {
            path,
            name,
            input: input.shape.clone(),
            bound: 1,
            output,
        };
        let mut all = vec![
            of("query_dense", "query", query, heads(self.key_dim)),
            of("key_dense", "key", key, heads(self.key_dim)),
        ];
        if self.use_gate {
            all.push(of("_gate_dense", "gate", query, heads(self.value_dim())));
        }
        all.push(of("value_dense", "value", value, heads(self.value_dim())));
        let output = match &self.output_shape {
            Some(shape) => Shape(shape.dims()).known(),
            None => Some(vec![call.known_dim(-1)?]),
        };
        let mut inner = query.shape.without(-1);
        inner.0.extend(heads(self.value_dim()).into_iter().map(Some));
        all.push(Projection {
            path: "output_dense",
            name: "attention_output",
            input: inner,
            bound: 2,
            output: output.ok_or_else(|| call.error("output_shape must be known"))?,
        });
        let sublayers = all.iter().map(|p| p.sublayer(call, self.use_bias));
        Ok(Variables { sublayers: sublayers.collect::<Result<_>>()?, ..Variables::none() })
    }

    /// The mask of the query.
    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
