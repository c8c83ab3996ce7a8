//! `RepeatVector`. Source: `keras/src/layers/reshaping/repeat_vector.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use crate::{Call, KerasTensor, Result};

/// The same vector `n` times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepeatVector {
    /// How often.
    pub n: usize,
}

impl LayerConfig for RepeatVector {
    /// `[batch, features]` to `[batch, n, features]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape_of_rank(2)?;
        Ok(call.output([shape.dim(0).flatten(), Some(self.n), shape.dim(1).flatten()]))
    }
}
