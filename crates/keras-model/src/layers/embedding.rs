//! `Embedding`. Source: `keras/src/layers/core/embedding.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::quantized::{Lora, block_size, fixed, groups, half};
use super::{LayerConfig, Mask};
use crate::dtype::Quantization;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, DType, KerasTensor, Result};

/// A row of a table for each whole number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// Rows of the table: numbers are less than this.
    pub input_dim: usize,
    /// Length of a row.
    pub output_dim: usize,
    /// How the table starts.
    #[serde(default = "Initializer::uniform")]
    pub embeddings_initializer: Initializer,
    /// Penalty on the table.
    #[serde(default)]
    pub embeddings_regularizer: Option<Regularizer>,
    /// What the table is forced to after each update.
    #[serde(default)]
    pub embeddings_constraint: Option<Constraint>,
    /// Whether 0 is no number but masks its place.
    #[serde(default)]
    pub mask_zero: bool,
    /// How it was quantised, where that is more than its policy says.
    #[serde(default)]
    pub quantization_config: Option<Value>,
    /// The low-rank update of the table, if there is one.
    #[serde(flatten)]
    pub lora: Lora,
}

impl LayerConfig for Embedding {
    /// `[..]` to `[.., output_dim]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let mut shape = call.shape()?.clone();
        shape.0.push(Some(self.output_dim));
        Ok(call.output(shape))
    }

    /// `embeddings [input_dim, output_dim]`; quantised and LoRA tables have more.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let dtype = call.base.dtype.variable;
        let (rows, length) = (self.input_dim, self.output_dim);
        let own = match &call.base.dtype.quantization {
            None | Some(Quantization::Float8 { .. }) => {
                vec![VariableSpec::new("embeddings", [rows, length], dtype)]
            }
            Some(Quantization::Int8) => vec![
                fixed("embeddings", vec![rows, length], DType::Int8),
                fixed("embeddings_scale", vec![rows], dtype),
            ],
            Some(Quantization::Int4 { block_size: policy }) => {
                let block = block_size(self.quantization_config.as_ref(), *policy);
                let scale = match block {
                    Some(block) => vec![rows, groups(call, length, block)?],
                    None => vec![rows],
                };
                let mut own = vec![
                    fixed("embeddings", vec![rows, half(length)], DType::Int8),
                    fixed("embeddings_scale", scale.clone(), dtype),
                ];
                if block.is_some() {
                    own.push(fixed("embeddings_zero", scale, DType::Int8));
                    own.push(fixed("g_idx", vec![length], DType::Float32));
                }
                own
            }
            Some(Quantization::Gptq { .. } | Quantization::Awq { .. }) => {
                return Err(call.error("gptq and awq do not quantise an Embedding"));
            }
        };
        Ok(self.lora.extend_for(own, "embeddings", &[rows, length]))
    }

    fn mask(&self) -> Mask {
        if self.mask_zero { Mask::Creates } else { Mask::Drops }
    }
}
