//! `RandAugment`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/rand_augment.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, ValueRange};
use super::spatial::DataFormat;
use super::up_sampling::Interpolation;
use crate::{Call, KerasTensor, Result};

/// Changes an image by some random operations, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandAugment {
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
    /// How many.
    #[serde(default = "two")]
    pub num_ops: usize,
    /// Strength of the changes.
    #[serde(default = "half")]
    pub factor: Factor,
    /// How values between pixels are made.
    #[serde(default = "Interpolation::bilinear")]
    pub interpolation: Interpolation,
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

const fn two() -> usize {
    2
}

const fn half() -> Factor {
    Factor::upper(0.5)
}

impl LayerConfig for RandAugment {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
