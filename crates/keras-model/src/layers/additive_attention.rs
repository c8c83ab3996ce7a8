//! `AdditiveAttention`. Source: `keras/src/layers/attention/additive_attention.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask, attention, yes};
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// Attention with scores `Σ scale · tanh(query + key)`: called with `[query, value]` or
/// `[query, value, key]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdditiveAttention {
    /// Whether learned numbers scale the features.
    #[serde(default = "yes")]
    pub use_scale: bool,
    /// Share of the weights that is dropped while training.
    #[serde(default)]
    pub dropout: Float,
    /// Seed of the dropout.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

impl LayerConfig for AdditiveAttention {
    /// `[batch, queries, value features]`; with `return_attention_scores` also
    /// `[batch, queries, keys]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        attention::output(call)
    }

    /// `scale [features]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let scale = || VariableSpec::new("scale", [features], call.base.dtype.variable);
        Ok(Variables::of(self.use_scale.then(scale).into_iter().collect()))
    }

    /// The mask of the query.
    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
