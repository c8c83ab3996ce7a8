//! `Permute`. Source: `keras/src/layers/reshaping/permute.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use crate::{Call, KerasTensor, Result};

/// The axes in another order; the batch stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permute {
    /// For each axis after the batch the axis that goes there, counted from 1.
    pub dims: Vec<usize>,
}

impl LayerConfig for Permute {
    /// `[batch, a, b]` to `[batch, b, a]` for `dims` of `[2, 1]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape_of_rank(self.dims.len().saturating_add(1))?;
        let mut sorted = self.dims.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(1..shape.rank()) {
            return Err(call.error(format!("dims {:?} are no permutation from 1 on", self.dims)));
        }
        let axes = std::iter::once(&0).chain(&self.dims);
        let dims: Vec<_> = axes.map(|axis| shape.dims().get(*axis).copied().flatten()).collect();
        call.moved(dims)
    }
}
