//! `HashedCrossing`.

use keras_model::DType;
use keras_model::layers::encoding::OutputMode;
use keras_model::layers::hashed_crossing::HashedCrossing;

use super::encoding::encode;
use super::{Call, hashing};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::HashCross;

pub(super) fn lower(
    layer: &HashedCrossing,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let columns = call.tensors();
    let bin = cross(b, &columns, layer.num_bins)?;
    let dtype = if layer.output_mode == OutputMode::Int { hashing::whole(b) } else { b.compute() };
    Ok(vec![encode(b, bin, layer.output_mode, layer.num_bins, dtype)?])
}

/// The bin of each combination.
pub(super) fn cross(b: &mut Builder<'_>, columns: &[Value], bins: usize) -> Result<Value> {
    let mut whole = Vec::with_capacity(columns.len());
    for column in columns {
        whole.push(match b.dtype(*column) {
            DType::String => *column,
            _ => b.cast(*column, DType::Int64)?,
        });
    }
    b.op(HashCross { bins: bins as u64 }, &whole)
}
