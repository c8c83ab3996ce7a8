//! `GRU`.

use keras_model::layers::gru::GRU;

use super::Call;
use super::recurrent::{self, Cell};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::CellKind;

pub(super) fn lower(layer: &GRU, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let reset_after = layer.cell.reset_after;
    let cell = recurrent::in_cell(b, call, "gru_cell", |b| {
        let (input_bias, state_bias) = if layer.cell.use_bias {
            let bias = b.weight("bias")?;
            if reset_after {
                (Some(b.at(bias, 0, 0)?), Some(b.at(bias, 0, 1)?))
            } else {
                (Some(bias), None)
            }
        } else {
            (None, None)
        };
        Ok(Cell {
            kind: CellKind::Gru { reset_after },
            units: layer.cell.units,
            activation: &layer.cell.activation,
            recurrent_activation: &layer.cell.recurrent_activation,
            input_bias,
            state_bias,
            kernel: b.weight("kernel")?,
            recurrent_kernel: b.weight("recurrent_kernel")?,
        })
    })?;
    recurrent::lower(b, call, &cell, &layer.options)
}
