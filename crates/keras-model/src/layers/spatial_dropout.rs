//! What `SpatialDropout1D`, `SpatialDropout2D` and `SpatialDropout3D` share.
//! Source: `keras/src/layers/regularization/spatial_dropout.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::spatial::DataFormat;
use super::{LayerConfig, Mask};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Drops whole channels of `RANK` spatial axes while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpatialDropout<const RANK: usize> {
    /// Share of the channels that are dropped.
    pub rate: Float,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
    /// Where the channels are; last with one axis.
    #[serde(default)]
    pub data_format: DataFormat,
}

impl<const RANK: usize> LayerConfig for SpatialDropout<RANK> {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.shape_of_rank(RANK.saturating_add(2))?;
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
