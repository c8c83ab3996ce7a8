//! `LSTMCell`. Source: `keras/src/layers/rnn/lstm.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::RecurrentKernels;
use super::recurrent::{Cell, sigmoid, tanh};
use super::{LayerConfig, Step, yes};
use crate::activations::Activation;
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result, Shape};

/// `i, f, o = σ(x · W + h · U + b)`, `c = f · c + i · tanh(..)`, `h = o · tanh(c)`. Gates lie in the
/// order i, f, c, o.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LSTMCell {
    /// Length of the output and of each state.
    pub units: usize,
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

impl Cell for LSTMCell {
    const CLASS: &'static str = "LSTMCell";
    const NAME: &'static str = "lstm_cell";
}

impl LayerConfig for LSTMCell {
    /// `[batch, features]` and the states to `[batch, units]` and the new states.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let step = self.step(call)?;
        Ok(step.map(|step| step.tensors(call)).unwrap_or_default())
    }

    /// Output `[batch, units]` and the hidden state and the carry.
    fn step(&self, call: &Call<'_>) -> Result<Option<Step>> {
        let state = Shape::from([call.shape_of_rank(2)?.dim(0).flatten(), Some(self.units)]);
        Ok(Some(Step { states: vec![state.clone(), state.clone()], output: state }))
    }

    /// `kernel [features, 4 · units]`, `recurrent_kernel [units, 4 · units]`,
    /// `bias [4 · units]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let width = call.product([self.units, 4])?;
        let dtype = call.base.dtype.variable;
        let mut own = vec![
            VariableSpec::new("kernel", [features, width], dtype),
            VariableSpec::new("recurrent_kernel", [self.units, width], dtype),
        ];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", [width], dtype)));
        Ok(Variables::of(own))
    }
}
