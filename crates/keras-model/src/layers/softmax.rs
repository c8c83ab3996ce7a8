//! `Softmax`. Source: `keras/src/layers/activations/softmax.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::axes::{Axes, last};
use super::{LayerConfig, Mask};
use crate::{Call, KerasTensor, Result};

/// `exp(x) / Σ exp(x)` along an axis or several. A mask takes elements out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Softmax {
    /// The axes that sum to 1.
    #[serde(default = "last")]
    pub axis: Axes,
}

impl LayerConfig for Softmax {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.axis.of(call)?;
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
