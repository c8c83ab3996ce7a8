//! `RandomGrayscale`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_grayscale.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::DataFormat;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Takes the colour out of some images, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomGrayscale {
    /// Share of the images.
    #[serde(default = "half")]
    pub factor: Float,
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

const fn half() -> Float {
    Float(0.5)
}

impl LayerConfig for RandomGrayscale {
    /// The input's shape and type.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::kept(call)
    }
}
