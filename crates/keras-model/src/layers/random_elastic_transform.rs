//! `RandomElasticTransform`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_elastic_transform.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, FillMode, ValueRange};
use super::spatial::DataFormat;
use super::up_sampling::Interpolation;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Bends images smoothly, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomElasticTransform {
    /// Share of the images.
    #[serde(default = "one")]
    pub factor: Factor,
    /// Strength.
    #[serde(default = "one")]
    pub scale: Factor,
    /// How values between pixels are made.
    #[serde(default = "Interpolation::bilinear")]
    pub interpolation: Interpolation,
    /// Where pixels from outside of the image come from.
    #[serde(default)]
    pub fill_mode: FillMode,
    /// Value of pixels from outside for `constant`.
    #[serde(default)]
    pub fill_value: Float,
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
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

impl LayerConfig for RandomElasticTransform {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
