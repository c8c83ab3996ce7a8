//! `GRUCell`.

use keras_model::layers::gru_cell::GRUCell;

use super::Call;
use super::recurrent::{self, Cell};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::CellKind;

/// One step.
pub(super) fn lower(layer: &GRUCell, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let cell = cell(layer, b)?;
    recurrent::step(b, call, &cell)
}

/// The cell whose weights are in reach.
pub(super) fn cell<'a>(layer: &'a GRUCell, b: &mut Builder<'_>) -> Result<Cell<'a>> {
    let bias = if layer.use_bias { Some(b.weight("bias")?) } else { None };
    let (input_bias, state_bias) = match bias {
        Some(bias) if layer.reset_after => (Some(b.at(bias, 0, 0)?), Some(b.at(bias, 0, 1)?)),
        bias => (bias, None),
    };
    Ok(Cell {
        kind: CellKind::Gru { reset_after: layer.reset_after },
        units: layer.units,
        activation: &layer.activation,
        recurrent_activation: &layer.recurrent_activation,
        input_bias,
        state_bias,
        kernel: b.weight("kernel")?,
        recurrent_kernel: b.weight("recurrent_kernel")?,
        dropout: layer.dropout.0,
        recurrent_dropout: layer.recurrent_dropout.0,
    })
}
