//! What `CuDNNLSTM` and `CuDNNGRU` share. Source: `keras/layers/cudnn_recurrent.py`, Keras 2.3.1;
//! gone in Keras 3.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::arrays::RecurrentKernels;
use super::recurrent::{Options, part};
use super::{LayerConfig, Mask, Step, Today, yes};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result, Shape};

/// A recurrent layer as the cuDNN library computes it: `GATES` gates, activations `tanh` and
/// `sigmoid`, a bias for the input and one for the state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CuDNN<const GATES: usize> {
    /// What happens at each time step.
    #[serde(flatten)]
    pub cell: CuDNNCell,
    /// What is given back.
    #[serde(flatten)]
    pub options: Options,
}

/// One time step of a [`CuDNN`] layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CuDNNCell {
    /// Length of the output and of each state.
    pub units: usize,
    /// How the kernels and the bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: RecurrentKernels,
    /// Whether the bias of the forget gate starts with ones: LSTM only.
    #[serde(default = "yes")]
    pub unit_forget_bias: bool,
}

impl<'de, const GATES: usize> Deserialize<'de> for CuDNN<GATES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Value::deserialize(deserializer)?;
        Ok(Self { cell: part(&config)?, options: part(&config)? })
    }
}

impl<const GATES: usize> LayerConfig for CuDNN<GATES> {
    /// `[batch, time, features]` to `[batch, units]`, `[batch, time, units]` with
    /// `return_sequences`; then the states with `return_state`: two for LSTM, one for GRU.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let inputs = self.options.step_inputs(call)?;
        let step = Call::new(call.base, &inputs);
        let batch = step.shape_of_rank(2)?.dim(0).flatten();
        let state = Shape::from([batch, Some(self.cell.units)]);
        let states = if GATES == 4 { 2 } else { 1 };
        let step = Step { states: vec![state.clone(); states], output: state };
        self.options.output(call, step)
    }

    /// `kernel [features, GATES · units]`, `recurrent_kernel [units, GATES · units]`,
    /// `bias [2 · GATES · units]`: of the input, then of the state.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let units = self.cell.units;
        let width = call.product([units, GATES])?;
        let dtype = call.base.dtype.variable;
        Ok(Variables::of(vec![
            VariableSpec::new("kernel", [features, width], dtype),
            VariableSpec::new("recurrent_kernel", [units, width], dtype),
            VariableSpec::new("bias", [call.product([width, 2])?], dtype),
        ]))
    }

    fn mask(&self) -> Mask {
        self.options.mask()
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
