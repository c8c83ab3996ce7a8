//! `GaussianNoise`. Source: `keras/src/layers/regularization/gaussian_noise.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Adds noise of mean 0, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaussianNoise {
    /// Deviation of the noise.
    pub stddev: Float,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

impl LayerConfig for GaussianNoise {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
