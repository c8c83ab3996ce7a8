//! `Reshape`. Source: `keras/src/layers/reshaping/reshape.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::axes::size;
use crate::{Call, Dim, KerasTensor, Result, Shape};

/// Another shape for the same elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshape {
    /// The new shape without the batch; one length may be -1: what is left.
    pub target_shape: Vec<Option<i64>>,
}

impl LayerConfig for Reshape {
    /// `[batch, ..]` to `[batch, target_shape..]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let [batch, rest @ ..] = call.shape()?.dims() else {
            return Err(call.error("a scalar has no batch axis"));
        };
        let wrong = || {
            let target: Vec<_> = self.target_shape.iter().map(|n| n.unwrap_or(-1)).collect();
            call.error(format!("cannot give shape {} the target {target:?}", Shape(rest.to_vec())))
        };
        if self.target_shape.iter().flatten().any(|n| *n < -1)
            || self.target_shape.iter().filter(|n| **n == Some(-1)).count() > 1
        {
            return Err(wrong());
        }
        let length = |n: &Option<i64>| n.and_then(|n| usize::try_from(n).ok());
        let mut target: Vec<Dim> = self.target_shape.iter().map(length).collect();
        if let Some(total) = size(call, rest)?
            && !self.target_shape.contains(&None)
        {
            let known = call.product(target.iter().copied().flatten())?;
            match target.iter_mut().find(|dim| dim.is_none()) {
                None if known == total => {}
                Some(rest) if known > 0 && total % known == 0 => *rest = total.checked_div(known),
                _ => return Err(wrong()),
            }
        }
        target.insert(0, *batch);
        call.moved(target)
    }
}
