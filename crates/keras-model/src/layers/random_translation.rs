//! `RandomTranslation`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_translation.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, FillMode};
use super::spatial::DataFormat;
use super::up_sampling::Interpolation;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Moves images, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomTranslation {
    /// How far up or down, as a share of the height.
    pub height_factor: Factor,
    /// How far left or right, as a share of the width.
    pub width_factor: Factor,
    /// Where pixels from outside of the image come from.
    #[serde(default)]
    pub fill_mode: FillMode,
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

impl LayerConfig for RandomTranslation {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
