//! `Concatenate`.

use keras_model::layers::concatenate::Concatenate;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &Concatenate,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    Ok(vec![concatenate(b, &call.tensors(), layer.axis)?])
}

/// Tensors of any types one after the other.
pub(super) fn concatenate(b: &mut Builder<'_>, inputs: &[Value], axis: i64) -> Result<Value> {
    let Some(first) = inputs.first() else { return Err(b.error("called without a tensor")) };
    let axis = b.axis(*first, axis)?;
    let types = inputs.iter().map(|v| b.dtype(*v));
    let dtype = types.reduce(super::build::promote).unwrap_or_else(|| b.compute());
    let cast: Vec<Value> = inputs.iter().map(|v| b.cast(*v, dtype)).collect::<Result<_>>()?;
    b.concat(&cast, axis)
}
