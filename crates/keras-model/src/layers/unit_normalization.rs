//! `UnitNormalization`. Source: `keras/src/layers/normalization/unit_normalization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::axes::{Axes, last};
use super::{LayerConfig, Mask};
use crate::{Call, KerasTensor, Result};

/// Scales to length 1 (Euclidean norm) along an axis or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitNormalization {
    /// The axes whose length becomes 1.
    #[serde(default = "last")]
    pub axis: Axes,
}

impl LayerConfig for UnitNormalization {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.axis.of(call)?;
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
