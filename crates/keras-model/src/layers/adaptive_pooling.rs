//! What `AdaptiveMaxPooling*D` and `AdaptiveAveragePooling*D` share.
//! Source: `keras/src/layers/pooling/base_adaptive_pooling.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::{DataFormat, Sizes};
use crate::{Call, KerasTensor, Result};

/// One value for each of `output_size` windows over `RANK` spatial axes; the class says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptivePooling<const RANK: usize> {
    /// Lengths of the axes of the output.
    pub output_size: Sizes<RANK>,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
}

impl<const RANK: usize> LayerConfig for AdaptivePooling<RANK> {
    /// `[batch, .., channels]` to `[batch, output_size.., channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape_of_rank(RANK.saturating_add(2))?;
        let channels = shape.dim(self.data_format.channel_axis()).flatten();
        let spatial = self.output_size.0.map(Some);
        Ok(call.output(self.data_format.shape(shape.dim(0).flatten(), spatial, channels)))
    }
}
