//! What `GlobalMaxPooling*D` and `GlobalAveragePooling*D` share.
//! Source: `keras/src/layers/pooling/base_global_pooling.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result, Shape};

/// One value for all of `RANK` spatial axes; the class says which. `GlobalAveragePooling1D` leaves
/// masked steps out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlobalPooling<const RANK: usize> {
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// Whether the spatial axes stay, with length 1.
    #[serde(default)]
    pub keepdims: bool,
}

impl<const RANK: usize> LayerConfig for GlobalPooling<RANK> {
    /// `[batch, .., channels]` to `[batch, channels]`, or `[batch, 1.., channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape_of_rank(RANK.saturating_add(2))?;
        let batch = shape.dim(0).flatten();
        let channels = shape.dim(self.data_format.channel_axis()).flatten();
        Ok(call.output(if self.keepdims {
            self.data_format.shape(batch, [Some(1); RANK], channels)
        } else {
            Shape::from([batch, channels])
        }))
    }
}
