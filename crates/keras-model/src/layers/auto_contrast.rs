//! `AutoContrast`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/auto_contrast.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::ValueRange;
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// Stretches each channel to the whole range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoContrast {
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

impl LayerConfig for AutoContrast {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
