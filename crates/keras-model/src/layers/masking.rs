//! `Masking`. Source: `keras/src/layers/core/masking.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Masks time steps that hold nothing but `mask_value`, and sets them to zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Masking {
    /// The value that marks a step to leave out.
    #[serde(default)]
    pub mask_value: Float,
}

impl LayerConfig for Masking {
    /// The input's shape. The mask is `[batch, time]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Creates
    }
}
