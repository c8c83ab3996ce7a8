//! `GRUCell`. Source: `keras/src/layers/rnn/gru.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::arrays::RecurrentKernels;
use super::recurrent::{Cell, sigmoid, tanh};
use super::{LayerConfig, Step, yes};
use crate::activations::Activation;
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result, Shape};

/// `z, r = σ(x · W + h · U + b)`, `h = z · h + (1 - z) · tanh(..)`. Gates lie in the order z, r, h.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GRUCell {
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
    /// Whether the reset gate acts on the product `h · U` (with a bias of its own) instead of on `h`.
    #[serde(default = "yes")]
    pub reset_after: bool,
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

impl Cell for GRUCell {
    const CLASS: &'static str = "GRUCell";
    const NAME: &'static str = "gru_cell";
}

impl LayerConfig for GRUCell {
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

    /// `kernel [features, 3 · units]`, `recurrent_kernel [units, 3 · units]`,
    /// `bias [2, 3 · units]` (of the input, of the state), `[3 · units]` without `reset_after`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let width = call.product([self.units, 3])?;
        let dtype = call.base.dtype.variable;
        let mut own = vec![
            VariableSpec::new("kernel", [features, width], dtype),
            VariableSpec::new("recurrent_kernel", [self.units, width], dtype),
        ];
        if self.use_bias {
            let bias = if self.reset_after { vec![2, width] } else { vec![width] };
            own.push(VariableSpec::new("bias", bias, dtype));
        }
        Ok(Variables::of(own))
    }
}
