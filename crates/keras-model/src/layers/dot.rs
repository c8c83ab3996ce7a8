//! `Dot`. Source: `keras/src/layers/merging/dot.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use crate::{Call, KerasTensor, Result, Shape};

/// The product of two tensors, sample by sample, summed over one axis of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dot {
    /// The axes that are summed over; the batch is axis 0.
    pub axes: DotAxes,
    /// Whether both are scaled to length 1 along their axes first: a cosine.
    #[serde(default)]
    pub normalize: bool,
}

/// An axis of each of two tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DotAxes {
    /// The same number in both.
    Same(i64),
    /// One of the first, one of the second.
    Each([i64; 2]),
}

impl LayerConfig for Dot {
    /// `[batch, ..a, k]` and `[batch, k, ..b]` to `[batch, ..a, ..b]`; `[batch, 1]` if nothing is
    /// left of both.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let [a, b] = call.tensors() else {
            return Err(call.error(format!("takes two inputs, found {}", call.tensors().len())));
        };
        Ok(call.output(product(call, &a.shape, &b.shape, self.axes)?))
    }
}

/// The shape of a product summed over an axis of each.
pub(super) fn product(call: &Call<'_>, a: &Shape, b: &Shape, over: DotAxes) -> Result<Shape> {
    let [at, bt] = match over {
        DotAxes::Same(axis) => [axis, axis],
        DotAxes::Each(pair) => pair,
    };
    let find = |shape: &Shape, axis: i64| {
        let found = shape.axis(axis).filter(|a| *a > 0);
        found.ok_or_else(|| call.error(format!("shape {shape} has no axis {axis} to sum over")))
    };
    let (at, bt) = (find(a, at)?, find(b, bt)?);
    let length = |shape: &Shape, axis: usize| shape.dims().get(axis).copied().flatten();
    if let (Some(x), Some(y)) = (length(a, at), length(b, bt))
        && x != y
    {
        return Err(call.error(format!("cannot sum over axes of {x} and {y}: {a} and {b}")));
    }
    let rest = |shape: &Shape, axis: usize, from: usize| {
        let dims = shape.dims().iter().enumerate().filter(move |(i, _)| *i >= from && *i != axis);
        dims.map(|(_, d)| *d).collect::<Vec<_>>()
    };
    let mut dims = rest(a, at, 0);
    dims.extend(rest(b, bt, 1));
    if dims.len() == 1 {
        dims.push(Some(1));
    }
    Ok(Shape(dims))
}
