//! `SimpleRNN`.

use keras_model::layers::simple_rnn::SimpleRNN;

use super::{Call, recurrent, simple_rnn_cell};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &SimpleRNN, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let cell =
        recurrent::in_cell(b, call, "simple_rnn_cell", |b| simple_rnn_cell::cell(&layer.cell, b))?;
    recurrent::lower(b, call, &cell, &layer.options)
}
