//! `ActivityRegularization`. Source:
//! `keras/src/layers/regularization/activity_regularization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Adds a penalty on its input to the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityRegularization {
    /// Factor of the sum of absolute values.
    #[serde(default)]
    pub l1: Float,
    /// Factor of the sum of squares.
    #[serde(default)]
    pub l2: Float,
}

impl LayerConfig for ActivityRegularization {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
