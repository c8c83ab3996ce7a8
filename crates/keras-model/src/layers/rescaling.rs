//! `Rescaling`. Source: `keras/src/layers/preprocessing/rescaling.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// `scale · x + offset`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rescaling {
    /// The factor.
    pub scale: Numbers,
    /// What is added.
    #[serde(default)]
    pub offset: Numbers,
}

/// One number, or one for each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Numbers {
    /// For all.
    One(Float),
    /// For each.
    Many(Vec<Float>),
    /// An array object or nested lists, as they stand in the file.
    Array(serde_json::Value),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::One(Float(0.0))
    }
}

impl LayerConfig for Rescaling {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
