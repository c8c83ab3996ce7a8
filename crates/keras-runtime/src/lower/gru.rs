//! `GRU`.

use keras_model::layers::gru::GRU;

use super::{Call, gru_cell, recurrent};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &GRU, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let cell = recurrent::in_cell(b, call, "gru_cell", |b| gru_cell::cell(&layer.cell, b))?;
    recurrent::lower(b, call, &cell, &layer.options)
}
