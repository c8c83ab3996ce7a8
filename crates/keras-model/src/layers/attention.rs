//! `Attention`. Source: `keras/src/layers/attention/attention.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result, Shape};

/// `softmax(scores(query, key)) · value`: called with `[query, value]` or `[query, value, key]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// Whether a learned number scales the scores.
    #[serde(default)]
    pub use_scale: bool,
    /// How query and key make a score.
    #[serde(default)]
    pub score_mode: ScoreMode,
    /// Share of the weights that is dropped while training.
    #[serde(default)]
    pub dropout: Float,
    /// Seed of the dropout.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

/// How query and key make a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreMode {
    /// Their inner product.
    #[default]
    Dot,
    /// `w · Σ tanh(query + key)`.
    Concat,
}

/// Query, value and key of a call with a list of two or three.
pub(super) fn inputs<'a>(call: &Call<'a>) -> Result<[&'a KerasTensor; 3]> {
    let [query, value, key] = match *call.tensors() {
        [query, value] => [query, value, value],
        [query, value, key] => [query, value, key],
        _ => return Err(call.error("takes a list of query, value and maybe key")),
    };
    if query.shape.rank() < 2 || value.shape.rank() < 2 || key.shape.rank() < 2 {
        return Err(call.error("query, value and key must be [batch, steps, features]"));
    }
    Ok([query, value, key])
}

/// `[batch, queries, value features]`; with `return_attention_scores` also
/// `[batch, queries, keys]`.
pub(super) fn output(call: &Call<'_>) -> Result<Vec<KerasTensor>> {
    let [query, value, key] = inputs(call)?;
    let mut out = call.output(query.shape.with_last(value.shape.dim(-1).flatten()));
    if call.flag("return_attention_scores", 3) {
        let scores: Shape = query.shape.with_last(key.shape.dim(-2).flatten());
        out.extend(call.output(scores));
    }
    Ok(out)
}

impl LayerConfig for Attention {
    /// `[batch, queries, value features]`; with `return_attention_scores` also
    /// `[batch, queries, keys]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        output(call)
    }

    /// `scale []` and, for `concat`, `concat_score_weight []`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let number = |name| VariableSpec::new(name, [], call.base.dtype.variable);
        let scale = self.use_scale.then(|| number("scale"));
        let weight = self.score_mode == ScoreMode::Concat;
        let weight = weight.then(|| number("concat_score_weight"));
        Ok(Variables::of(scale.into_iter().chain(weight).collect()))
    }

    /// The mask of the query.
    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
