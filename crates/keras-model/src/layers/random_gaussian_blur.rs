//! `RandomGaussianBlur`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_gaussian_blur.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, ValueRange};
use super::spatial::DataFormat;
use super::spatial::Sizes;
use crate::{Call, KerasTensor, Result};

/// Blurs images, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomGaussianBlur {
    /// Share of the images.
    #[serde(default = "one")]
    pub factor: Factor,
    /// Size of the window.
    #[serde(default = "size")]
    pub kernel_size: Sizes<2>,
    /// Width of the bell curve.
    #[serde(default = "one")]
    pub sigma: Factor,
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

const fn size() -> Sizes<2> {
    Sizes([3, 3])
}

impl LayerConfig for RandomGaussianBlur {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
