//! `RandomHeight`. Source:
//! `tf_keras/src/layers/preprocessing/image_preprocessing.py`, 2.21; gone in
//! Keras 3.

use serde::{Deserialize, Serialize};

use super::image::Factor;
use super::up_sampling::Interpolation;
use super::{LayerConfig, Today};
use crate::{Call, KerasTensor, Result};

/// Makes images higher or lower, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomHeight {
    /// How much.
    pub factor: Factor,
    /// How values between pixels are made.
    #[serde(default = "Interpolation::bilinear")]
    pub interpolation: Interpolation,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

impl LayerConfig for RandomHeight {
    /// `[batch, rows, columns, channels]` (or one image) with one length not known.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.with_dim(-3, None)))
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
