//! What `ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D` share, and their cell.
//! Source: `keras/src/layers/rnn/conv_lstm.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::RecurrentKernels;
use super::recurrent::{Cell, Recurrent, sigmoid, tanh};
use super::spatial::{DataFormat, Padding, Sizes, Window, channels};
use super::{LayerConfig, Step, yes};
use crate::activations::Activation;
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// A convolutional LSTM over `RANK` spatial axes.
pub type ConvLSTM<const RANK: usize> = Recurrent<ConvLSTMCell<RANK>>;

/// An LSTM cell whose products are convolutions: with `kernel` over the input, with
/// `recurrent_kernel` (same padding, no strides) over the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvLSTMCell<const RANK: usize> {
    /// Number of output channels.
    pub filters: usize,
    /// Lengths of the window.
    pub kernel_size: Sizes<RANK>,
    /// Steps between windows over the input.
    #[serde(default = "Sizes::ones")]
    pub strides: Sizes<RANK>,
    /// What happens at the edges of the input.
    #[serde(default)]
    pub padding: Padding,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// Distance between the elements of a window over the input.
    #[serde(default = "Sizes::ones")]
    pub dilation_rate: Sizes<RANK>,
    /// Applied to the new state.
    #[serde(default = "tanh")]
    pub activation: Activation,
    /// Applied to the gates.
    #[serde(default = "sigmoid")]
    pub recurrent_activation: Activation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How the kernels and the bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: RecurrentKernels,
    /// Whether the bias of the forget gate starts with ones.
    #[serde(default = "yes")]
    pub unit_forget_bias: bool,
    /// Share of the inputs that is dropped while training.
    #[serde(default)]
    pub dropout: Float,
    /// Share of the state that is dropped while training.
    #[serde(default)]
    pub recurrent_dropout: Float,
    /// Seed of the dropout.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
}

impl<const RANK: usize> Cell for ConvLSTMCell<RANK> {
    const CLASS: &'static str = "ConvLSTMCell";
    const NAME: &'static str = "conv_lstm_cell";
}

impl<const RANK: usize> LayerConfig for ConvLSTMCell<RANK> {
    /// `[batch, .., channels]` and the states to `[batch, windows.., filters]` and the new states.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let step = self.step(call)?;
        Ok(step.map(|step| step.tensors(call)).unwrap_or_default())
    }

    /// Output `[batch, windows.., filters]`; hidden state and carry of the same shape.
    fn step(&self, call: &Call<'_>) -> Result<Option<Step>> {
        let window = Window {
            size: &self.kernel_size.0,
            strides: &self.strides.0,
            dilation: &self.dilation_rate.0,
            padding: self.padding,
            data_format: self.data_format,
        };
        let state = window.output(call, Some(self.filters))?;
        Ok(Some(Step { states: vec![state.clone(), state.clone()], output: state }))
    }

    /// `kernel [window.., channels, 4 · filters]`,
    /// `recurrent_kernel [window.., filters, 4 · filters]`, `bias [4 · filters]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let channels = channels(call, self.data_format, RANK)?;
        let width = call.product([self.filters, 4])?;
        let dtype = call.base.dtype.variable;
        let shape = |n: usize| [&self.kernel_size.0[..], &[n, width]].concat();
        let mut own = vec![
            VariableSpec::new("kernel", shape(channels), dtype),
            VariableSpec::new("recurrent_kernel", shape(self.filters), dtype),
        ];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", [width], dtype)));
        Ok(Variables::of(own))
    }
}
