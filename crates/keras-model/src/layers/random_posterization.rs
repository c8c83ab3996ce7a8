//! `RandomPosterization`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_posterization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, ValueRange};
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// Leaves few bits of each value, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomPosterization {
    /// Number of bits.
    #[serde(serialize_with = "Factor::whole")]
    pub factor: Factor,
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

impl LayerConfig for RandomPosterization {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
