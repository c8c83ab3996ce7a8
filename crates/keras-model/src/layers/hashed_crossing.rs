//! `HashedCrossing`. Source: `keras/src/layers/preprocessing/hashed_crossing.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::encoding::{OutputMode, encoded, typed, whole};
use crate::{Call, DType, KerasTensor, Result};

/// A bin for each pair of values, by their hash: called with a list of two tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HashedCrossing {
    /// Number of bins.
    pub num_bins: usize,
    /// `int` or `one_hot`.
    #[serde(default)]
    pub output_mode: OutputMode,
    /// Whether vectors are sparse.
    #[serde(default)]
    pub sparse: bool,
}

impl LayerConfig for HashedCrossing {
    /// The first input's shape for `int`, else with `num_bins` behind it, in place of a last axis
    /// of 1.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape()?;
        if call.tensors().iter().any(|t| !t.shape.is_compatible(shape)) {
            return Err(call.error("the inputs have different shapes"));
        }
        match self.output_mode {
            OutputMode::Int => Ok(typed(shape.clone(), whole(call, DType::Int64))),
            OutputMode::OneHot => {
                Ok(call.output(encoded(shape, OutputMode::OneHot, Some(self.num_bins))))
            }
            _ => Err(call.error("output_mode must be int or one_hot")),
        }
    }
}
