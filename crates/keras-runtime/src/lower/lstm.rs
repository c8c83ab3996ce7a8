//! `LSTM`.

use keras_model::layers::lstm::LSTM;

use super::{Call, lstm_cell, recurrent};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &LSTM, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let cell = recurrent::in_cell(b, call, "lstm_cell", |b| lstm_cell::cell(&layer.cell, b))?;
    recurrent::lower(b, call, &cell, &layer.options)
}
