//! `Permute`.

use keras_model::layers::permute::Permute;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Permute, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let axes: Vec<usize> = std::iter::once(0).chain(layer.dims.iter().copied()).collect();
    Ok(vec![b.transpose(x, axes)?])
}
