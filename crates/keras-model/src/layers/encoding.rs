//! How categories become numbers or vectors: what the layers for categories and text share.

use serde::{Deserialize, Serialize};

use crate::{Call, DType, Dim, KerasTensor, Shape};

/// What a layer makes of category numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputMode {
    /// The numbers.
    #[default]
    Int,
    /// A vector for each number: 1 at its place.
    OneHot,
    /// A vector for each sample: 1 at the places of all its numbers.
    #[serde(alias = "binary")]
    MultiHot,
    /// A vector for each sample: how often each number occurs.
    Count,
    /// The same, weighted by how rare a number is in the training data.
    #[serde(alias = "tf-idf")]
    TfIdf,
}

impl OutputMode {
    /// `multi_hot`: the default where numbers alone make no sense.
    pub(super) const fn multi_hot() -> Self {
        Self::MultiHot
    }
}

/// A tensor of the layer's own choice of type.
pub(super) fn typed(shape: Shape, dtype: DType) -> Vec<KerasTensor> {
    vec![KerasTensor::new(shape, dtype)]
}

/// The shape of vectors of length `depth`: behind the last axis for `one_hot` (in place of it if
/// it is 1 long), in place of the last axis else.
pub(super) fn encoded(shape: &Shape, mode: OutputMode, depth: Dim) -> Shape {
    let mut dims = shape.0.clone();
    let replaces = match mode {
        OutputMode::Int => return shape.clone(),
        OutputMode::OneHot => dims.len() > 1 && dims.last() == Some(&Some(1)),
        _ => true,
    };
    if replaces {
        dims.pop();
    }
    dims.push(depth);
    Shape(dims)
}

/// The type of hashes: the layer's own if that is a whole number.
pub(super) fn whole(call: &Call<'_>, default: DType) -> DType {
    let own = call.base.dtype.compute;
    if own.is_float() { default } else { own }
}
