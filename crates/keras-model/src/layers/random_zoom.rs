//! `RandomZoom`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_zoom.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, FillMode};
use super::spatial::DataFormat;
use super::up_sampling::Interpolation;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Zooms images in or out, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomZoom {
    /// Change of the height: positive numbers zoom out.
    pub height_factor: Factor,
    /// Change of the width; as the height by default.
    #[serde(default)]
    pub width_factor: Option<Factor>,
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

impl LayerConfig for RandomZoom {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
