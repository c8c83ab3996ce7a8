//! What `ZeroPadding1D`, `ZeroPadding2D` and `ZeroPadding3D` share.
//! Source: `keras/src/layers/reshaping/zero_padding2d.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::{Borders, DataFormat};
use crate::{Call, KerasTensor, Result};

/// Adds zeros at the borders of `RANK` spatial axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZeroPadding<const RANK: usize> {
    /// Zeros before and after each axis.
    #[serde(default = "Borders::ones")]
    pub padding: Borders<RANK>,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
}

impl<const RANK: usize> LayerConfig for ZeroPadding<RANK> {
    /// `[batch, .., channels]` to `[batch, longer.., channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let add = |n, (before, after)| call.sum([n, before, after]);
        Ok(call.output(self.padding.apply(call, self.data_format, add)?))
    }
}
