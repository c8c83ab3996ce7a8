//! `RandomColorJitter`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_color_jitter.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, ValueRange};
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// Changes brightness, contrast, saturation and hue, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomColorJitter {
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
    /// Strength of the change of brightness.
    #[serde(default)]
    pub brightness_factor: Option<Factor>,
    /// Strength of the change of contrast.
    #[serde(default)]
    pub contrast_factor: Option<Factor>,
    /// Strength of the change of saturation.
    #[serde(default)]
    pub saturation_factor: Option<Factor>,
    /// Strength of the change of hue.
    #[serde(default)]
    pub hue_factor: Option<Factor>,
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

impl LayerConfig for RandomColorJitter {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
