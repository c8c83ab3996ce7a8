//! `MaxNumBoundingBoxes`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/max_num_bounding_box.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// Drops boxes over a number and fills up to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxNumBoundingBoxes {
    /// How many boxes come out.
    pub max_number: usize,
    /// What the filled-up places hold.
    #[serde(default = "fill")]
    pub fill_value: i64,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

const fn fill() -> i64 {
    -1
}

impl LayerConfig for MaxNumBoundingBoxes {
    /// A dict: images as they come, `boxes [batch, max_number, 4]`, `labels [batch, max_number]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::boxes(call, self.max_number)
    }
}
