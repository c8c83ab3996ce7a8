//! `LSTM`.

use keras_model::layers::lstm::LSTM;

use super::Call;
use super::recurrent::{self, Cell};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::CellKind;

pub(super) fn lower(layer: &LSTM, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let cell = recurrent::in_cell(b, call, "lstm_cell", |b| {
        Ok(Cell {
            kind: CellKind::Lstm,
            units: layer.cell.units,
            activation: &layer.cell.activation,
            recurrent_activation: &layer.cell.recurrent_activation,
            input_bias: if layer.cell.use_bias { Some(b.weight("bias")?) } else { None },
            state_bias: None,
            kernel: b.weight("kernel")?,
            recurrent_kernel: b.weight("recurrent_kernel")?,
        })
    })?;
    recurrent::lower(b, call, &cell, &layer.options)
}
