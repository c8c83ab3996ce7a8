//! `CenterCrop`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/center_crop.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// The middle of an image, resized first where the image is smaller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CenterCrop {
    /// Rows of the output.
    pub height: usize,
    /// Columns of the output.
    pub width: usize,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

impl LayerConfig for CenterCrop {
    /// `[batch, rows, columns, channels]` (or one image) to `[batch, height, width, channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| {
            super::image::sized(call, shape, self.data_format, self.height, self.width)
        })
    }
}
