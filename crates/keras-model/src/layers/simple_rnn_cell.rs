//! `SimpleRNNCell`. Source: `keras/src/layers/rnn/simple_rnn.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::RecurrentKernels;
use super::recurrent::{Cell, tanh};
use super::{LayerConfig, Step, yes};
use crate::activations::Activation;
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result, Shape};

/// `h = activation(x · W + h · U + b)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleRNNCell {
    /// Length of the output and of each state.
    pub units: usize,
    /// Applied to the new state.
    #[serde(default = "tanh")]
    pub activation: Activation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How the kernels and the bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: RecurrentKernels,
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

impl Cell for SimpleRNNCell {
    const CLASS: &'static str = "SimpleRNNCell";
    const NAME: &'static str = "simple_rnn_cell";
}

impl LayerConfig for SimpleRNNCell {
    /// `[batch, features]` and the states to `[batch, units]` and the new states.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let step = self.step(call)?;
        Ok(step.map(|step| step.tensors(call)).unwrap_or_default())
    }

    /// Output `[batch, units]` and the state, which is the output.
    fn step(&self, call: &Call<'_>) -> Result<Option<Step>> {
        let state = Shape::from([call.shape_of_rank(2)?.dim(0).flatten(), Some(self.units)]);
        Ok(Some(Step { states: vec![state.clone()], output: state }))
    }

    /// `kernel [features, units]`, `recurrent_kernel [units, units]`,
    /// `bias [units]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let width = self.units;
        let dtype = call.base.dtype.variable;
        let mut own = vec![
            VariableSpec::new("kernel", [features, width], dtype),
            VariableSpec::new("recurrent_kernel", [self.units, width], dtype),
        ];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", [width], dtype)));
        Ok(Variables::of(own))
    }
}
