//! `Activation`. Source: `keras/src/layers/activations/activation.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::{Call, KerasTensor, Result, activations};

/// A function applied to each element (or, for `softmax`, along the last axis).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// The function.
    #[serde(default)]
    pub activation: activations::Activation,
}

impl LayerConfig for Activation {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
