//! `Concatenate`. Source: `keras/src/layers/merging/concatenate.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::{Call, Dim, KerasTensor, Result};

/// Its inputs one after the other along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concatenate {
    /// The axis that grows.
    #[serde(default = "last")]
    pub axis: i64,
}

const fn last() -> i64 {
    -1
}

impl LayerConfig for Concatenate {
    /// The first input's shape, with the sum of the lengths on `axis`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let first = call.shape()?;
        let axis = first
            .axis(self.axis)
            .ok_or_else(|| call.error(format!("shape {first} has no axis {}", self.axis)))?;
        let mut total: Dim = Some(0);
        for tensor in call.tensors() {
            let shape = &tensor.shape;
            let fits = shape.rank() == first.rank() && {
                let pairs = shape.dims().iter().zip(first.dims()).enumerate();
                pairs
                    .filter(|(i, _)| *i != axis)
                    .all(|(_, (a, b))| a.is_none() || b.is_none() || a == b)
            };
            if !fits {
                return Err(call.error(format!(
                    "inputs {first} and {shape} differ outside of axis {}",
                    self.axis
                )));
            }
            let dim = shape.dim(self.axis).flatten();
            total = total.zip(dim).map(|(a, b)| call.sum([a, b])).transpose()?;
        }
        Ok(call.output(first.with_dim(self.axis, total)))
    }

    fn mask(&self) -> Mask {
        Mask::Merges
    }
}
