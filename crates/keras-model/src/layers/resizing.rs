//! `Resizing`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/resizing.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::image::FillMode;
use super::spatial::DataFormat;
use super::up_sampling::Interpolation;
use super::{LayerConfig, Today};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Images in another size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resizing {
    /// Rows of the output.
    pub height: usize,
    /// Columns of the output.
    pub width: usize,
    /// How values between pixels are made.
    #[serde(default = "Interpolation::bilinear")]
    pub interpolation: Interpolation,
    /// Whether an image is cropped to the ratio of the output first.
    #[serde(default)]
    pub crop_to_aspect_ratio: bool,
    /// Whether an image is padded to the ratio of the output first.
    #[serde(default)]
    pub pad_to_aspect_ratio: bool,
    /// Where pixels from outside of the image come from.
    #[serde(default = "FillMode::constant")]
    pub fill_mode: FillMode,
    /// Value of pixels from outside for `constant`.
    #[serde(default)]
    pub fill_value: Float,
    /// Whether making smaller averages.
    #[serde(default)]
    pub antialias: bool,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

impl LayerConfig for Resizing {
    /// `[batch, rows, columns, channels]` (or one image) to `[batch, height, width, channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| {
            super::image::sized(call, shape, self.data_format, self.height, self.width)
        })
    }

    fn today(&self) -> Today {
        self.interpolation.today()
    }
}
