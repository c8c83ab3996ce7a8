//! `TimeDistributed`. Source: `keras/src/layers/rnn/time_distributed.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{Layer, LayerConfig, Mask};
use crate::variables::{Sublayer, Variables};
use crate::{Call, Inputs, KerasTensor, Result};

/// Calls a layer or model on each time step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeDistributed {
    /// What is called.
    pub layer: Layer,
}

impl TimeDistributed {
    /// The call of the layer with one step: without axis 1.
    fn step(call: &Call<'_>) -> Result<Inputs> {
        let input = call.input()?;
        if input.shape.rank() < 3 {
            let shape = &input.shape;
            return Err(call.error(format!("expected [batch, time, ..], found shape {shape}")));
        }
        Ok(Inputs::one(KerasTensor::new(input.shape.without(1), input.dtype)))
    }
}

impl LayerConfig for TimeDistributed {
    /// `[batch, time, ..]` to the layer's output with the time axis put back at 1.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let time = call.shape()?.dim(1).flatten();
        let mut outputs = self.layer.output(&Self::step(call)?)?;
        for output in &mut outputs {
            let at = output.shape.rank().min(1);
            output.shape.0.insert(at, time);
            output.dtype = call.base.dtype.compute;
        }
        Ok(outputs)
    }

    /// The layer's.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let variables = self.layer.variables(&Self::step(call)?)?;
        let layer = Sublayer::new("layer", &self.layer, variables);
        Ok(Variables { sublayers: vec![layer], ..Variables::none() })
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        vec![("layer", &self.layer)]
    }
}
