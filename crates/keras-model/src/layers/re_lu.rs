//! `ReLU`. Source: `keras/src/layers/activations/relu.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// `min(x, max_value)` from `threshold` on, else `negative_slope · (x - threshold)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReLU {
    /// Largest result.
    #[serde(default)]
    pub max_value: Option<Float>,
    /// Slope below the threshold.
    #[serde(default)]
    pub negative_slope: Float,
    /// Where the function turns.
    #[serde(default)]
    pub threshold: Float,
}

impl LayerConfig for ReLU {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
