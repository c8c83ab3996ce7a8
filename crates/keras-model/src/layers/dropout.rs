//! `Dropout`. Source: `keras/src/layers/regularization/dropout.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, Dim, KerasTensor, Result};

/// Sets a share of the elements to zero and scales the rest up, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    /// Share of the elements that is dropped.
    pub rate: Float,
    /// Shape of the noise, which broadcasts; `None` for an axis of the input.
    #[serde(default)]
    pub noise_shape: Option<Vec<Dim>>,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

impl LayerConfig for Dropout {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
