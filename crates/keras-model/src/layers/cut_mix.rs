//! `CutMix`. Source: `keras/src/layers/preprocessing/image_preprocessing/cut_mix.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::Factor;
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// Puts a piece of another image of the batch into each, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutMix {
    /// Share that the piece covers.
    #[serde(default = "one")]
    pub factor: Factor,
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

const fn one() -> Factor {
    Factor::upper(1.0)
}

impl LayerConfig for CutMix {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
