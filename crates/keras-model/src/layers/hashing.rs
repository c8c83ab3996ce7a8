//! `Hashing`. Source: `keras/src/layers/preprocessing/hashing.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::encoding::{OutputMode, encoded, typed, whole};
use crate::{Call, DType, KerasTensor, Result};

/// A bin for each value, by its hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hashing {
    /// Number of bins.
    pub num_bins: usize,
    /// A value that has bin 0 for itself.
    #[serde(default)]
    pub mask_value: Option<serde_json::Value>,
    /// Keys of the hash, which is `SipHash64` then; without them `FarmHash64`.
    #[serde(default)]
    pub salt: Option<serde_json::Value>,
    /// Numbers or vectors.
    #[serde(default)]
    pub output_mode: OutputMode,
    /// Whether vectors are sparse.
    #[serde(default)]
    pub sparse: bool,
}

impl LayerConfig for Hashing {
    /// The input's shape for `int`, else `[.., n]` to `[.., num_bins]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape()?;
        if self.output_mode == OutputMode::Int {
            return Ok(typed(shape.clone(), whole(call, DType::Int64)));
        }
        Ok(call.output(encoded(shape, OutputMode::MultiHot, Some(self.num_bins))))
    }
}
