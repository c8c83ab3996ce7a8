//! `LeakyReLU`. Source: `keras/src/layers/activations/leaky_relu.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// `x` where it is positive, else `negative_slope · x`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakyReLU {
    /// Slope for negative numbers.
    #[serde(default = "slope")]
    pub negative_slope: Float,
}

const fn slope() -> Float {
    Float(0.3)
}

impl LayerConfig for LeakyReLU {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
