//! What `SeparableConv1D` and `SeparableConv2D` share.
//! Source: `keras/src/layers/convolutional/base_separable_conv.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::conv::one;
use super::spatial::{DataFormat, Padding, Sizes, Window, channels};
use super::{LayerConfig, yes};
use crate::activations::Activation;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// A depthwise convolution over `RANK` spatial axes, then a product over the channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeparableConv<const RANK: usize> {
    /// Channels between the two steps for each input channel.
    #[serde(default = "one")]
    pub depth_multiplier: usize,
    /// Number of output channels.
    pub filters: usize,
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
    /// How the depthwise kernel starts.
    #[serde(default)]
    pub depthwise_initializer: Initializer,
    /// How the pointwise kernel starts.
    #[serde(default)]
    pub pointwise_initializer: Initializer,
    /// How the bias starts.
    #[serde(default = "Initializer::zeros")]
    pub bias_initializer: Initializer,
    /// Penalty on the depthwise kernel.
    #[serde(default)]
    pub depthwise_regularizer: Option<Regularizer>,
    /// Penalty on the pointwise kernel.
    #[serde(default)]
    pub pointwise_regularizer: Option<Regularizer>,
    /// Penalty on the bias.
    #[serde(default)]
    pub bias_regularizer: Option<Regularizer>,
    /// What the depthwise kernel is forced to after each update.
    #[serde(default)]
    pub depthwise_constraint: Option<Constraint>,
    /// What the pointwise kernel is forced to after each update.
    #[serde(default)]
    pub pointwise_constraint: Option<Constraint>,
    /// What the bias is forced to after each update.
    #[serde(default)]
    pub bias_constraint: Option<Constraint>,
}

impl<const RANK: usize> LayerConfig for SeparableConv<RANK> {
    /// `[batch, .., channels]` to `[batch, windows.., filters]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let window = Window {
            size: &self.kernel_size.0,
            strides: &self.strides.0,
            dilation: &self.dilation_rate.0,
            padding: self.padding,
            data_format: self.data_format,
        };
        Ok(call.output(window.output(call, Some(self.filters))?))
    }

    /// `depthwise_kernel [window.., channels, depth_multiplier]`,
    /// `pointwise_kernel [1.., channels · depth_multiplier, filters]`, `bias [filters]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let channels = channels(call, self.data_format, RANK)?;
        let dtype = call.base.dtype.variable;
        let depthwise = [&self.kernel_size.0[..], &[channels, self.depth_multiplier]].concat();
        let between = call.product([channels, self.depth_multiplier])?;
        let pointwise = [&[1; RANK][..], &[between, self.filters]].concat();
        let mut own = vec![
            VariableSpec::new("depthwise_kernel", depthwise, dtype),
            VariableSpec::new("pointwise_kernel", pointwise, dtype),
        ];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", [self.filters], dtype)));
        Ok(Variables::of(own))
    }
}
