//! `ELU`. Source: `keras/src/layers/activations/elu.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// `x` where it is positive, else `alpha · (eˣ - 1)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ELU {
    /// Where the function ends for very negative numbers, negated.
    #[serde(default = "one")]
    pub alpha: Float,
}

const fn one() -> Float {
    Float(1.0)
}

impl LayerConfig for ELU {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
