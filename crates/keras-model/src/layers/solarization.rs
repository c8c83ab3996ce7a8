//! `Solarization`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/solarization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, ValueRange};
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// Inverts values above a threshold, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solarization {
    /// Added to the values first, as a share of the range.
    #[serde(default = "zero")]
    pub addition_factor: Factor,
    /// The threshold, as a share of the range.
    #[serde(default = "zero")]
    pub threshold_factor: Factor,
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

const fn zero() -> Factor {
    Factor::upper(0.0)
}

impl LayerConfig for Solarization {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
