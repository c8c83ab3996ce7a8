//! `AlphaDropout`. Source: `keras/src/layers/regularization/alpha_dropout.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, Dim, KerasTensor, Result};

/// Dropout that keeps mean and variance of the input, for use with `selu`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphaDropout {
    /// Share of the elements that is dropped.
    pub rate: Float,
    /// Shape of the noise, which broadcasts; `None` for an axis of the input.
    #[serde(default)]
    pub noise_shape: Option<Vec<Dim>>,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

impl LayerConfig for AlphaDropout {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
