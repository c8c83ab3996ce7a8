//! What `Conv1DTranspose`, `Conv2DTranspose` and `Conv3DTranspose` share.
//! Source: `keras/src/layers/convolutional/base_conv_transpose.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::KernelAndBias;
use super::spatial::{DataFormat, Padding, Sizes, channels, reach};
use super::{LayerConfig, yes};
use crate::activations::Activation;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, Dim, KerasTensor, Result};

/// The transpose (gradient) of a convolution over `RANK` spatial axes, plus a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvTranspose<const RANK: usize> {
    /// Number of output channels.
    pub filters: usize,
    /// Lengths of the window.
    pub kernel_size: Sizes<RANK>,
    /// Steps between windows in the output.
    #[serde(default = "Sizes::ones")]
    pub strides: Sizes<RANK>,
    /// `valid` or `same`.
    #[serde(default)]
    pub padding: Padding,
    /// Elements added at the end of each axis of the output; `None` for what fits the strides.
    #[serde(default)]
    pub output_padding: Option<Sizes<RANK>>,
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
    /// How kernel and bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: KernelAndBias,
}

impl<const RANK: usize> ConvTranspose<RANK> {
    /// `valid`: `(n - 1) · stride + max(reach, stride)`, `same`: `n · stride`; with an output
    /// padding `(n - 1) · stride`, plus `reach` or its parity, plus the padding.
    fn length(&self, call: &Call<'_>, axis: usize, dim: Dim) -> Result<Dim> {
        let at = |sizes: &Sizes<RANK>| sizes.0.get(axis).copied().unwrap_or(1);
        let (size, stride) = (at(&self.kernel_size), at(&self.strides));
        let dilation = at(&self.dilation_rate);
        if size == 0 || stride == 0 || dilation == 0 {
            return Err(call.error("window sizes, strides and dilation rates must not be 0"));
        }
        let extra = self.output_padding.as_ref().map(at);
        if extra.is_some_and(|e| e >= stride) {
            return Err(call.error("output_padding must be less than the stride"));
        }
        let reach = reach(call, size, dilation)?;
        let Some(n) = dim else { return Ok(None) };
        let spread = call.product([n.saturating_sub(1), stride])?;
        let length = match (self.padding, extra) {
            (Padding::Valid, None) => call.sum([spread, reach.max(stride)])?,
            (Padding::Valid, Some(extra)) => call.sum([spread, reach, extra])?,
            (Padding::Same, None) => call.product([n, stride])?,
            (Padding::Same, Some(extra)) => call.sum([spread, reach % 2, extra])?,
            _ => return Err(call.error("padding must be valid or same")),
        };
        Ok(Some(length))
    }
}

impl<const RANK: usize> LayerConfig for ConvTranspose<RANK> {
    /// `[batch, .., channels]` to `[batch, longer.., filters]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape_of_rank(RANK.saturating_add(2))?;
        let spatial = self.data_format.spatial(shape).iter().enumerate();
        let spatial: Vec<Dim> =
            spatial.map(|(i, dim)| self.length(call, i, *dim)).collect::<Result<_>>()?;
        let batch = shape.dim(0).flatten();
        Ok(call.output(self.data_format.shape(batch, spatial, Some(self.filters))))
    }

    /// `kernel [window.., filters, channels]`, `bias [filters]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let channels = channels(call, self.data_format, RANK)?;
        let dtype = call.base.dtype.variable;
        let kernel = [&self.kernel_size.0[..], &[self.filters, channels]].concat();
        let mut own = vec![VariableSpec::new("kernel", kernel, dtype)];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", [self.filters], dtype)));
        Ok(Variables::of(own))
    }
}
