//! `LSTMCell`.

use keras_model::layers::lstm_cell::LSTMCell;

use super::Call;
use super::recurrent::{self, Cell};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::CellKind;

/// One step.
pub(super) fn lower(layer: &LSTMCell, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let cell = cell(layer, b)?;
    recurrent::step(b, call, &cell)
}

/// The cell whose weights are in reach.
pub(super) fn cell<'a>(layer: &'a LSTMCell, b: &mut Builder<'_>) -> Result<Cell<'a>> {
    Ok(Cell {
        kind: CellKind::Lstm,
        units: layer.units,
        activation: &layer.activation,
        recurrent_activation: &layer.recurrent_activation,
        input_bias: if layer.use_bias { Some(b.weight("bias")?) } else { None },
        state_bias: None,
        kernel: b.weight("kernel")?,
        recurrent_kernel: b.weight("recurrent_kernel")?,
        dropout: layer.dropout.0,
        recurrent_dropout: layer.recurrent_dropout.0,
    })
}
