//! `Identity`. Source: `keras/src/layers/core/identity.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::{Call, KerasTensor, Result};

/// Gives what it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {}

impl LayerConfig for Identity {
    /// The inputs.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let cast = |t: &&KerasTensor| KerasTensor::new(t.shape.clone(), call.cast(t.dtype));
        Ok(call.tensors().iter().map(cast).collect())
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
