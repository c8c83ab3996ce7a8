//! What `Conv1D`, `Conv2D` and `Conv3D` share.
//! Source: `keras/src/layers/convolutional/base_conv.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::KernelAndBias;
use super::quantized::Lora;
use super::spatial::{DataFormat, Padding, Sizes, Window, channels};
use super::{LayerConfig, Today, yes};
use crate::activations::Activation;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `activation(x ∗ kernel + bias)` over `RANK` spatial axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv<const RANK: usize> {
    /// Number of output channels.
    pub filters: usize,
    /// Lengths of the window.
    pub kernel_size: Sizes<RANK>,
    /// Steps between windows.
    #[serde(default = "Sizes::ones")]
    pub strides: Sizes<RANK>,
    /// What happens at the edges; `causal` only with one axis.
    #[serde(default)]
    pub padding: Padding,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// Distance between the elements of a window.
    #[serde(default = "Sizes::ones")]
    pub dilation_rate: Sizes<RANK>,
    /// Groups of channels that are convolved apart.
    #[serde(default = "one")]
    pub groups: usize,
    /// Applied to each element; `linear` by default.
    #[serde(default)]
    pub activation: Activation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How kernel and bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: KernelAndBias,
    /// The low-rank update of the kernel, if there is one.
    #[serde(flatten)]
    pub lora: Lora,
}

pub(crate) const fn one() -> usize {
    1
}

impl<const RANK: usize> Conv<RANK> {
    fn window(&self) -> Window<'_> {
        Window {
            size: &self.kernel_size.0,
            strides: &self.strides.0,
            dilation: &self.dilation_rate.0,
            padding: self.padding,
            data_format: self.data_format,
        }
    }
}

impl<const RANK: usize> LayerConfig for Conv<RANK> {
    /// `[batch, .., channels]` to `[batch, windows.., filters]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        if self.padding == Padding::Causal && RANK != 1 {
            return Err(call.error("causal padding is for one spatial axis"));
        }
        Ok(call.output(self.window().output(call, Some(self.filters))?))
    }

    /// `kernel [window.., channels / groups, filters]`, `bias [filters]`; LoRA adds two.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let channels = channels(call, self.data_format, RANK)?;
        let divides = |n: usize| n.checked_rem(self.groups) == Some(0);
        if !divides(channels) || !divides(self.filters) {
            return Err(call.error(format!(
                "{} groups do not divide {channels} channels and {} filters",
                self.groups, self.filters
            )));
        }
        let dtype = call.base.dtype.variable;
        let mut shape = self.kernel_size.0.to_vec();
        shape.extend([channels.checked_div(self.groups).unwrap_or(0), self.filters]);
        let mut own = vec![VariableSpec::new("kernel", shape, dtype)];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", [self.filters], dtype)));
        Ok(self.lora.extend(own, "kernel"))
    }

    fn today(&self) -> Today {
        self.padding.today()
    }
}
