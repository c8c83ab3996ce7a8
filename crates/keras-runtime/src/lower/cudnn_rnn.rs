//! `CuDNNLSTM`, `CuDNNGRU`.

use keras_model::activations::Activation;
use keras_model::layers::cudnn_rnn::CuDNN;

use super::Call;
use super::recurrent::{self, Cell};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::CellKind;

pub(super) fn lower<const GATES: usize>(
    layer: &CuDNN<GATES>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let bias = b.weight("bias")?;
    let width = b.dim(bias, 0)? / 2;
    let cell = Cell {
        kind: if GATES == 4 { CellKind::Lstm } else { CellKind::Gru { reset_after: true } },
        units: layer.cell.units,
        activation: &Activation::Tanh,
        recurrent_activation: &Activation::Sigmoid,
        input_bias: Some(b.slice(bias, 0, 0, width)?),
        state_bias: Some(b.slice(bias, 0, width, 2 * width)?),
        kernel: b.weight("kernel")?,
        recurrent_kernel: b.weight("recurrent_kernel")?,
        dropout: 0.0,
        recurrent_dropout: 0.0,
    };
    recurrent::lower(b, call, &cell, &layer.options)
}
