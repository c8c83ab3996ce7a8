//! `MixUp`. Source: `keras/src/layers/preprocessing/image_preprocessing/mix_up.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::DataFormat;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Mixes each image with another of the batch, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixUp {
    /// Parameter of the distribution of the shares.
    #[serde(default = "alpha")]
    pub alpha: Float,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

const fn alpha() -> Float {
    Float(0.2)
}

impl LayerConfig for MixUp {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
