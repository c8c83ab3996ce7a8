//! `ReversibleEmbedding`. Source: `keras/src/layers/core/reversible_embedding.py`, Keras 3.15.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::embedding::Embedding;
use super::quantized::{block_size, fixed, groups, half};
use super::recurrent::part;
use super::{LayerConfig, Mask, yes};
use crate::dtype::Quantization;
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, DType, KerasTensor, Result};

/// An [`Embedding`] that can also be called the other way: from rows to scores of all numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReversibleEmbedding {
    /// The table.
    #[serde(flatten)]
    pub embedding: Embedding,
    /// What it takes to be called in reverse.
    #[serde(flatten)]
    pub reverse: Reverse,
}

/// The way back from rows to numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reverse {
    /// Whether the reverse product uses the same table.
    #[serde(default = "yes")]
    pub tie_weights: bool,
    /// What the reverse product is computed in.
    #[serde(default)]
    pub reverse_dtype: Option<Value>,
    /// `cap · tanh(scores / cap)` keeps the scores small.
    #[serde(default)]
    pub logit_soft_cap: Option<Float>,
}

impl<'de> Deserialize<'de> for ReversibleEmbedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Value::deserialize(deserializer)?;
        Ok(Self { embedding: part(&config)?, reverse: part(&config)? })
    }
}

impl LayerConfig for ReversibleEmbedding {
    /// `[..]` to `[.., output_dim]`; with `reverse` `[.., output_dim]` to `[.., input_dim]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        if call.flag("reverse", 1) {
            return Ok(call.output(call.shape()?.with_last(self.embedding.input_dim)));
        }
        self.embedding.output(call)
    }

    /// The table's; `reverse_embeddings [output_dim, input_dim]` if not tied.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let mut all = self.embedding.variables(call)?;
        if self.reverse.tie_weights {
            return Ok(all);
        }
        let dtype = call.base.dtype.variable;
        let (rows, length) = (self.embedding.input_dim, self.embedding.output_dim);
        let name = "reverse_embeddings";
        let mut more = Vec::new();
        match &call.base.dtype.quantization {
            Some(Quantization::Int8) => more.extend([
                fixed(name, vec![length, rows], DType::Int8),
                fixed("reverse_embeddings_scale", vec![rows], dtype),
            ]),
            Some(Quantization::Int4 { block_size: policy }) => {
                let config = self.embedding.quantization_config.as_ref();
                let block = block_size(config, *policy);
                let scale = match block {
                    Some(block) => vec![groups(call, length, block)?, rows],
                    None => vec![rows],
                };
                more.push(fixed(name, vec![half(length), rows], DType::Int8));
                more.push(fixed("reverse_embeddings_scale", scale.clone(), dtype));
                more.extend(block.map(|_| fixed("reverse_embeddings_zero", scale, dtype)));
            }
            _ => more.push(VariableSpec::new(name, [length, rows], dtype)),
        }
        if let Some(saved) = &mut all.saved {
            saved.extend(more.iter().map(|v| v.name.clone()));
        }
        all.own.extend(more);
        Ok(all)
    }

    /// Of the numbers, if 0 is none.
    fn mask(&self) -> Mask {
        self.embedding.mask()
    }
}
