//! `CategoryEncoding`. Source: `keras/src/layers/preprocessing/category_encoding.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::encoding::{OutputMode, encoded};
use crate::{Call, KerasTensor, Result};

/// Category numbers as vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoryEncoding {
    /// Length of a vector: numbers are less than this.
    pub num_tokens: usize,
    /// What kind of vector; not `int`.
    #[serde(default = "OutputMode::multi_hot")]
    pub output_mode: OutputMode,
    /// Whether the vectors are sparse.
    #[serde(default)]
    pub sparse: bool,
}

impl LayerConfig for CategoryEncoding {
    /// `[.., n]` to `[.., num_tokens]`; for `one_hot` to `[.., n, num_tokens]` if `n` is not 1.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        if self.output_mode == OutputMode::Int {
            return Err(call.error("output_mode int makes no vectors"));
        }
        Ok(call.output(encoded(call.shape()?, self.output_mode, Some(self.num_tokens))))
    }
}
