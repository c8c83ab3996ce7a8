//! `ContrastLimitedAdaptiveHistogramEqualization`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/clahe.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::ValueRange;
use super::spatial::DataFormat;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Equalises the histogram of each tile, with a limit on its slope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContrastLimitedAdaptiveHistogramEqualization {
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
    /// The limit.
    #[serde(default = "limit")]
    pub clip_limit: Float,
    /// Rows and columns of tiles.
    #[serde(default = "tiles")]
    pub tile_grid_size: [usize; 2],
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

const fn limit() -> Float {
    Float(4.0)
}

const fn tiles() -> [usize; 2] {
    [8, 8]
}

impl LayerConfig for ContrastLimitedAdaptiveHistogramEqualization {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
