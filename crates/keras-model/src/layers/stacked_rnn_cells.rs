//! `StackedRNNCells`. Source: `keras/src/layers/rnn/stacked_rnn_cells.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::recurrent::{next_inputs, step_of};
use super::{Layer, LayerConfig, Step};
use crate::model::StoreNames;
use crate::variables::{Sublayer, Variables};
use crate::{Call, Inputs, KerasTensor, Result};

/// Cells one after the other, as one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackedRNNCells {
    /// The cells; each takes the output of the one before.
    pub cells: Vec<Layer>,
}

impl StackedRNNCells {
    /// What each cell is called with, and what the last one gives.
    fn run(&self, call: &Call<'_>) -> Result<(Vec<Inputs>, Step)> {
        let mut input = Inputs::one(call.input()?.clone());
        let mut all = Vec::with_capacity(self.cells.len());
        let mut states = Vec::new();
        let mut output = call.shape()?.clone();
        for cell in &self.cells {
            let step = step_of(cell, call, &input)?;
            states.extend(step.states);
            output = step.output;
            all.push(std::mem::replace(&mut input, next_inputs(output.clone(), call)));
        }
        Ok((all, Step { output, states }))
    }
}

impl LayerConfig for StackedRNNCells {
    /// `[batch, features]` and the states to the last cell's output and the new states of all.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(self.run(call)?.1.tensors(call))
    }

    /// The last cell's output, the states of all.
    fn step(&self, call: &Call<'_>) -> Result<Option<Step>> {
        Ok(Some(self.run(call)?.1))
    }

    /// Those of each cell.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let (inputs, _) = self.run(call)?;
        let mut names = StoreNames::default();
        let cells = self.cells.iter().zip(&inputs).map(|(cell, inputs)| {
            let path = format!("cells/{}", names.next(&cell.base.class));
            Ok(Sublayer::new(path, cell, cell.variables(inputs)?))
        });
        Ok(Variables { sublayers: cells.collect::<Result<_>>()?, ..Variables::none() })
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        self.cells.iter().map(|cell| ("cells", cell)).collect()
    }
}
