//! `RandomPerspective`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_perspective.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::Factor;
use super::spatial::DataFormat;
use super::up_sampling::Interpolation;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Tilts images, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomPerspective {
    /// Share of the images.
    #[serde(default = "one")]
    pub factor: Factor,
    /// How far the corners move.
    #[serde(default = "full")]
    pub scale: Float,
    /// How values between pixels are made.
    #[serde(default = "Interpolation::bilinear")]
    pub interpolation: Interpolation,
    /// Value of pixels from outside for `constant`.
    #[serde(default)]
    pub fill_value: Float,
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

const fn one() -> Factor {
    Factor::upper(1.0)
}

const fn full() -> Float {
    Float(1.0)
}

impl LayerConfig for RandomPerspective {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
