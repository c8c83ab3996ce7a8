//! What `DepthwiseConv1D` and `DepthwiseConv2D` share.
//! Source: `keras/src/layers/convolutional/base_depthwise_conv.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::conv::one;
use super::spatial::{DataFormat, Padding, Sizes, Window, channels};
use super::{LayerConfig, yes};
use crate::activations::Activation;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// A convolution of each channel by itself over `RANK` spatial axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthwiseConv<const RANK: usize> {
    /// Output channels for each input channel.
    #[serde(default = "one")]
    pub depth_multiplier: usize,
    /// Lengths of the window.
    pub kernel_size: Sizes<RANK>,
    /// Steps between windows.
    #[serde(default = "Sizes::ones")]
    pub strides: Sizes<RANK>,
    /// What happens at the edges.
    #[serde(default)]
    pub padding: Padding,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// Distance between the elements of a window.
    #[serde(default = "Sizes::ones")]
    pub dilation_rate: Sizes<RANK>,
    /// Applied to each element; `linear` by default.
    #[serde(default)]
    pub activation: Activation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How the kernel starts.
    #[serde(default)]
    pub depthwise_initializer: Initializer,
    /// How the bias starts.
    #[serde(default = "Initializer::zeros")]
    pub bias_initializer: Initializer,
    /// Penalty on the kernel.
    #[serde(default)]
    pub depthwise_regularizer: Option<Regularizer>,
    /// Penalty on the bias.
    #[serde(default)]
    pub bias_regularizer: Option<Regularizer>,
    /// What the kernel is forced to after each update.
    #[serde(default)]
    pub depthwise_constraint: Option<Constraint>,
    /// What the bias is forced to after each update.
    #[serde(default)]
    pub bias_constraint: Option<Constraint>,
}

impl<const RANK: usize> DepthwiseConv<RANK> {
    fn out_channels(&self, call: &Call<'_>) -> Result<(usize, usize)> {
        let channels = channels(call, self.data_format, RANK)?;
        Ok((channels, call.product([channels, self.depth_multiplier])?))
    }
}

impl<const RANK: usize> LayerConfig for DepthwiseConv<RANK> {
    /// `[batch, .., channels]` to `[batch, windows.., channels · depth_multiplier]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let window = Window {
            size: &self.kernel_size.0,
            strides: &self.strides.0,
            dilation: &self.dilation_rate.0,
            padding: self.padding,
            data_format: self.data_format,
        };
        Ok(call.output(window.output(call, Some(self.out_channels(call)?.1))?))
    }

    /// `kernel [window.., channels, depth_multiplier]`, `bias [channels · depth_multiplier]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let (channels, out) = self.out_channels(call)?;
        let dtype = call.base.dtype.variable;
        let kernel = [&self.kernel_size.0[..], &[channels, self.depth_multiplier]].concat();
        let mut own = vec![VariableSpec::new("kernel", kernel, dtype)];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", [out], dtype)));
        Ok(Variables::of(own))
    }
}
