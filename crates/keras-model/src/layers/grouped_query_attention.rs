//! `GroupedQueryAttention`. Source: `keras/src/layers/attention/grouped_query_attention.py`,
//! Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::KernelAndBias;
use super::multi_head_attention::{Projection, inputs};
use super::{LayerConfig, Mask, yes};
use crate::json::Float;
use crate::variables::Variables;
use crate::{Call, KerasTensor, Result};

/// Attention in which several heads of the query share a head of key and value: called with query,
/// value and maybe key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupedQueryAttention {
    /// Features of each head.
    pub head_dim: usize,
    /// Number of heads of the query.
    pub num_query_heads: usize,
    /// Number of heads of key and value.
    pub num_key_value_heads: usize,
    /// Share of the weights that is dropped while training.
    #[serde(default)]
    pub dropout: Float,
    /// Whether the projections have a bias.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// Whether `sigmoid` of a further projection of the query multiplies the result.
    #[serde(default)]
    pub use_gate: bool,
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

impl LayerConfig for GroupedQueryAttention {
    /// The query's shape `[batch, queries, features]`; with `return_attention_scores` also
    /// `[batch, query heads, queries, keys]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let [query, _, key] = inputs(call)?;
        if self.num_query_heads.checked_rem(self.num_key_value_heads) != Some(0) {
            return Err(call.error("num_key_value_heads does not divide num_query_heads"));
        }
        let mut out = call.output(query.shape.clone());
        if call.flag("return_attention_scores", 7) {
            let axis = |t: &KerasTensor| t.shape.dim(1).flatten();
            let batch = query.shape.dim(0).flatten();
            out.extend(call.output([batch, Some(self.num_query_heads), axis(query), axis(key)]));
        }
        Ok(out)
    }

    /// `query`: `kernel [features, query heads, head_dim]`, `bias [query heads, head_dim]`; `key`
    /// and `value` with the heads of those (`gate` between, like `query`); `attention_output`:
    /// `kernel [query heads, head_dim, features]`, `bias [features]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let [query, value, key] = inputs(call)?;
        let of = |path, name, input: &KerasTensor, heads: usize| Projection {
            path,
            name,
            input: input.shape.clone(),
            bound: 1,
            output: vec![heads, self.head_dim],
        };
        let mut all = vec![
            of("_query_dense", "query", query, self.num_query_heads),
            of("_key_dense", "key", key, self.num_key_value_heads),
        ];
        if self.use_gate {
            all.push(of("_gate_dense", "gate", query, self.num_query_heads));
        }
        all.push(of("_value_dense", "value", value, self.num_key_value_heads));
        let mut inner = query.shape.without(-1);
        inner.0.extend([Some(self.num_query_heads), Some(self.head_dim)]);
        all.push(Projection {
            path: "_output_dense",
            name: "attention_output",
            input: inner,
            bound: 2,
            output: vec![call.known_dim(-1)?],
        });
        let sublayers = all.iter().map(|p| p.sublayer(call, self.use_bias));
        Ok(Variables { sublayers: sublayers.collect::<Result<_>>()?, ..Variables::none() })
    }

    /// The mask of the query.
    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
