//! `Equalization`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/equalization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::ValueRange;
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// Spreads the values of each channel evenly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Equalization {
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
    /// Resolution of the histogram.
    #[serde(default = "bins")]
    pub bins: usize,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

const fn bins() -> usize {
    256
}

impl LayerConfig for Equalization {
    /// The input's shape and type.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::kept(call)
    }
}
