//! What `Cropping1D`, `Cropping2D` and `Cropping3D` share.
//! Source: `keras/src/layers/reshaping/cropping2d.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::{Borders, DataFormat};
use crate::{Call, KerasTensor, Result};

/// Drops elements at the borders of `RANK` spatial axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cropping<const RANK: usize> {
    /// Elements dropped before and after each axis. Keras's default with two axes is 0, else 1.
    #[serde(default = "default")]
    pub cropping: Borders<RANK>,
    /// Where the channels are; last with one axis.
    #[serde(default)]
    pub data_format: DataFormat,
}

const fn default<const RANK: usize>() -> Borders<RANK> {
    if RANK == 2 { Borders([(0, 0); RANK]) } else { Borders::ones() }
}

impl<const RANK: usize> LayerConfig for Cropping<RANK> {
    /// `[batch, .., channels]` to `[batch, shorter.., channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = self.cropping.apply(call, self.data_format, |n, (before, after)| {
            let cut = call.sum([before, after])?;
            n.checked_sub(cut).filter(|rest| *rest > 0).ok_or_else(|| {
                call.error(format!("cropping {before} and {after} leaves nothing of {n}"))
            })
        })?;
        Ok(call.output(shape))
    }
}
