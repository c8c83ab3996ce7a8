//! `RNN`. Source: `keras/src/layers/rnn/rnn.py`, Keras 3.15.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::recurrent::{Options, part, step_of};
use super::{Kind, Layer, LayerConfig, Mask, Today};
use crate::variables::{Sublayer, Variables};
use crate::{Call, KerasTensor, Result};

/// Runs any cell over the time axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RNN {
    /// What happens at each time step. A list in the file stands for `StackedRNNCells`.
    pub cell: Layer,
    /// What is given back.
    #[serde(flatten)]
    pub options: Options,
}

#[derive(Deserialize)]
struct Parts {
    cell: Value,
}

impl<'de> Deserialize<'de> for RNN {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Value::deserialize(deserializer)?;
        let Parts { mut cell } = part(&config)?;
        if cell.is_array() {
            cell = json!({
                "class_name": "StackedRNNCells",
                "config": {"name": "stacked_rnn_cells", "cells": cell},
            });
        }
        let cell = Layer::from_config(&cell).map_err(serde::de::Error::custom)?;
        Ok(Self { cell, options: part(&config)? })
    }
}

impl LayerConfig for RNN {
    /// `[batch, time, ..]` to the cell's output, `[batch, time, ..]` with `return_sequences`; then
    /// the states with `return_state`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let inputs = self.options.step_inputs(call)?;
        self.options.output(call, step_of(&self.cell, call, &inputs)?)
    }

    /// The cell's.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let inputs = self.options.step_inputs(call)?;
        step_of(&self.cell, call, &inputs)?;
        let sublayers = vec![Sublayer::new("cell", &self.cell, self.cell.variables(&inputs)?)];
        Ok(Variables { sublayers, ..Variables::none() })
    }

    fn mask(&self) -> Mask {
        self.options.mask()
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        vec![("cell", &self.cell)]
    }

    fn today(&self) -> Today {
        // `ConvRNN2D`.
        if matches!(self.cell.kind, Kind::ConvLSTM2DCell(_)) {
            return Today::CLASS;
        }
        self.options.today()
    }
}
