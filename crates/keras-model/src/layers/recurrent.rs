//! What recurrent layers share. Source: `keras/src/layers/rnn/rnn.py`, Keras 3.15.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{LayerConfig, Mask, Step, Today, typed};
use crate::activations::Activation;
use crate::variables::{Sublayer, Variables};
use crate::{Base, Call, Dim, Inputs, KerasTensor, Result, Shape};

/// A cell that has a layer of its own: `LSTMCell` has `LSTM`.
pub trait Cell: LayerConfig {
    /// Its class.
    const CLASS: &'static str;
    /// The name that Keras gives it inside that layer.
    const NAME: &'static str;
}

/// A layer that runs its own cell over the time axis. The keys of both stand side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recurrent<C> {
    /// What happens at each time step.
    #[serde(flatten)]
    pub cell: C,
    /// What is given back.
    #[serde(flatten)]
    pub options: Options,
}

/// How a recurrent layer goes over the time axis, and what it gives back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Whether the outputs of all steps are given, or only the last.
    #[serde(default)]
    pub return_sequences: bool,
    /// Whether the last states are given after the output.
    #[serde(default)]
    pub return_state: bool,
    /// Whether the last step comes first.
    #[serde(default)]
    pub go_backwards: bool,
    /// Whether a batch starts with the states that the one before it left.
    #[serde(default)]
    pub stateful: bool,
    /// Whether the loop is written out: the result is the same.
    #[serde(default)]
    pub unroll: bool,
    /// Whether masked steps give zeros rather than the output of the step before.
    #[serde(default)]
    pub zero_output_for_mask: bool,
    /// Whether time is the first axis and the batch the second: `tf.keras` only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub time_major: bool,
}

impl<'de, C: DeserializeOwned> Deserialize<'de> for Recurrent<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Value::deserialize(deserializer)?;
        Ok(Self { cell: part(&config)?, options: part(&config)? })
    }
}

/// The keys of one of several types whose keys stand in one object.
pub(super) fn part<T: DeserializeOwned, E: serde::de::Error>(config: &Value) -> Result<T, E> {
    typed(config).map_err(|e| E::custom(format!("{}: {}", e.path, e.reason)))
}

impl Options {
    const fn time_axis(&self) -> usize {
        if self.time_major { 0 } else { 1 }
    }

    /// One step of the sequence that the layer is called with.
    pub(super) fn step_inputs(&self, call: &Call<'_>) -> Result<Inputs> {
        let sequence = call.input()?;
        if sequence.shape.rank() < 3 {
            let shape = &sequence.shape;
            return Err(call.error(format!("expected [batch, time, ..], found shape {shape}")));
        }
        let time = i64::from(!self.time_major);
        Ok(Inputs::one(KerasTensor::new(sequence.shape.without(time), sequence.dtype)))
    }

    /// The outputs of the layer whose cell gives `step`.
    pub(super) fn output(&self, call: &Call<'_>, step: Step) -> Result<Vec<KerasTensor>> {
        let time: Dim = call.shape()?.dims().get(self.time_axis()).copied().flatten();
        let mut step = step;
        if self.return_sequences {
            let at = self.time_axis().min(step.output.rank());
            step.output.0.insert(at, time);
        }
        if !self.return_state {
            step.states.clear();
        }
        Ok(step.tensors(call))
    }

    /// Keras 3 has the batch first.
    pub(super) const fn today(&self) -> Today {
        if self.time_major { Today::Gone("time_major") } else { Today::Same }
    }

    /// The mask of the sequence, if the sequence is given back.
    pub(super) const fn mask(&self) -> Mask {
        if self.return_sequences { Mask::Passes } else { Mask::Drops }
    }
}

impl<C: Cell> LayerConfig for Recurrent<C> {
    /// `[batch, time, ..]` to the cell's output, `[batch, time, ..]` with `return_sequences`; then
    /// the states with `return_state`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let inputs = self.options.step_inputs(call)?;
        let step = self.cell.step(&Call::new(call.base, &inputs))?;
        let step = step.ok_or_else(|| call.error("the cell has no sizes"))?;
        self.options.output(call, step)
    }

    /// The cell's.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let inputs = self.options.step_inputs(call)?;
        let (class, name) = (C::CLASS.to_owned(), C::NAME.to_owned());
        let base = Base { class, name, ..call.base.clone() };
        let variables = self.cell.variables(&Call::new(&base, &inputs))?;
        let sublayers = vec![Sublayer::of("cell", &base, variables)];
        Ok(Variables { sublayers, ..Variables::none() })
    }

    fn mask(&self) -> Mask {
        self.options.mask()
    }

    fn today(&self) -> Today {
        self.options.today()
    }
}

/// Default activation of recurrent layers.
pub(super) const fn tanh() -> Activation {
    Activation::Tanh
}

/// Default activation of gates in Keras 3.
pub(super) const fn sigmoid() -> Activation {
    Activation::Sigmoid
}

/// One step of a cell that stands in a config as a layer.
pub(super) fn step_of(layer: &crate::Layer, call: &Call<'_>, inputs: &Inputs) -> Result<Step> {
    let step = layer.kind.config().step(&Call::new(&layer.base, inputs))?;
    step.ok_or_else(|| crate::Error::NoShape {
        layer: call.base.name.clone(),
        class: layer.base.class.clone(),
    })
}

/// `[batch, n]` of a cell's output as the input of the next cell.
pub(super) fn next_inputs(output: Shape, call: &Call<'_>) -> Inputs {
    Inputs::one(KerasTensor::new(output, call.base.dtype.compute))
}
