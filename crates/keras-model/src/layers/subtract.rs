//! `Subtract`. Source: `keras/src/layers/merging/subtract.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask, merging};
use crate::{Call, KerasTensor, Result};

/// The first input minus the second, element by element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtract {}

impl LayerConfig for Subtract {
    /// The shape that both inputs broadcast to.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        if call.tensors().len() != 2 {
            return Err(call.error(format!("takes two inputs, found {}", call.tensors().len())));
        }
        Ok(call.output(merging::broadcast(call)?))
    }

    fn mask(&self) -> Mask {
        Mask::Merges
    }
}
