//! `GaussianDropout`. Source: `keras/src/layers/regularization/gaussian_dropout.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Multiplies by noise of mean 1 and deviation `√(rate / (1 - rate))`, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaussianDropout {
    /// The share that a dropout of the same strength would drop.
    pub rate: Float,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

impl LayerConfig for GaussianDropout {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
