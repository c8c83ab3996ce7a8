//! `AugMix`. Source: `keras/src/layers/preprocessing/image_preprocessing/aug_mix.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::image::{Factor, ValueRange};
use super::spatial::DataFormat;
use super::up_sampling::Interpolation;
use super::{LayerConfig, yes};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Mixes an image with chains of random changes of it, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AugMix {
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
    /// Number of chains.
    #[serde(default = "three")]
    pub num_chains: usize,
    /// Longest chain.
    #[serde(default = "three")]
    pub chain_depth: usize,
    /// Strength of the changes.
    #[serde(default = "strength")]
    pub factor: Factor,
    /// Parameter of the distributions that weigh chains and original.
    #[serde(default = "alpha")]
    pub alpha: Float,
    /// Whether changes of colour are among them.
    #[serde(default = "yes")]
    pub all_ops: bool,
    /// How values between pixels are made.
    #[serde(default = "Interpolation::bilinear")]
    pub interpolation: Interpolation,
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

const fn three() -> usize {
    3
}

const fn strength() -> Factor {
    Factor::upper(0.3)
}

const fn alpha() -> Float {
    Float(1.0)
}

impl LayerConfig for AugMix {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
