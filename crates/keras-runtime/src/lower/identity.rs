//! Layers that give what they get: `Identity`, and what only training does.

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

#[allow(clippy::unnecessary_wraps, reason = "as the lowerings of all layers")]
pub(super) fn lower(_b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    Ok(call.tensors())
}

/// Changes of images that are made in training only.
pub(super) fn only_in_training(call: &Call<'_>) -> Vec<Value> {
    call.tensors()
}

/// Those that are not computed in training.
pub(super) fn not_in_training(b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    if b.training() { Err(b.unsupported("training=True")) } else { Ok(only_in_training(call)) }
}
