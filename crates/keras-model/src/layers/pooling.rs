//! What `MaxPooling*D` and `AveragePooling*D` share.
//! Source: `keras/src/layers/pooling/base_pooling.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::spatial::{DataFormat, Padding, Sizes, Window};
use super::{LayerConfig, Today};
use crate::{Call, KerasTensor, Result};

/// One value for each window over `RANK` spatial axes; the class says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pooling<const RANK: usize> {
    /// Lengths of the window.
    #[serde(default = "Sizes::twos")]
    pub pool_size: Sizes<RANK>,
    /// Steps between windows; `pool_size` by default.
    #[serde(default)]
    pub strides: Option<Sizes<RANK>>,
    /// What happens at the edges. An average leaves the padding out.
    #[serde(default)]
    pub padding: Padding,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
}

impl<const RANK: usize> LayerConfig for Pooling<RANK> {
    /// `[batch, .., channels]` to `[batch, windows.., channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape_of_rank(RANK.saturating_add(2))?;
        let window = Window {
            size: &self.pool_size.0,
            strides: &self.strides.as_ref().unwrap_or(&self.pool_size).0,
            dilation: &[1; RANK],
            padding: self.padding,
            data_format: self.data_format,
        };
        let channels = shape.dim(self.data_format.channel_axis()).flatten();
        Ok(call.output(window.output(call, channels)?))
    }

    fn today(&self) -> Today {
        self.padding.today()
    }
}
