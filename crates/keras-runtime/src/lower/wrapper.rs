//! `Wrapper`.

use keras_model::layers::wrapper::Wrapper;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Wrapper, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    super::layer(&layer.layer, b, &call.inputs)
}
