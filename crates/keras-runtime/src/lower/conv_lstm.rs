//! `ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`.

use keras_model::layers::conv_lstm::{ConvLSTM, ConvLSTMCell};
use keras_model::layers::spatial::Padding;

use super::recurrent::{self, given_states, in_cell};
use super::{Call, activation, rnn, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Conv;

pub(super) fn lower<const RANK: usize>(
    layer: &ConvLSTM<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let mask = call.mask(b);
    let cell = &layer.cell;
    let shape = b.shape(x).to_vec();
    let &[batch, time, ref rest @ ..] = shape.as_slice() else {
        return Err(b.error(format!("expected [batch, time, ..], found shape {shape:?}")));
    };
    if b.training() && (cell.dropout.0 > 0.0 || cell.recurrent_dropout.0 > 0.0) {
        return Err(b.unsupported("training=True with dropout"));
    }
    in_cell(b, call, "conv_lstm_cell", |b| {
        // The convolutions of the input of all steps at once.
        let steps = b.reshape(x, [&[batch * time], rest].concat())?;
        let products = input_product(cell, b, steps)?;
        let inner = b.shape(products).iter().skip(1).copied().collect::<Vec<_>>();
        let products = b.reshape(products, [&[batch, time], &inner[..]].concat())?;
        let mut state = [&[batch], &inner[..]].concat();
        if let Some(last) = state.last_mut() {
            *last = cell.filters;
        }
        let states = recurrent::first_states(b, call, &layer.options, &[state.clone(), state])?;
        let last = |b: &mut Builder<'_>, state| spatial::channels_last(b, state, cell.data_format);
        let states = match given_states(call).as_slice() {
            [] => states,
            given => given.iter().map(|s| last(b, *s)).collect::<Result<_>>()?,
        };
        let recurrent = b.weight("recurrent_kernel")?;
        let outputs =
            rnn::over_time(b, products, mask, states, &layer.options, time, |b, x, s| {
                step(cell, b, x, s, recurrent)
            })?;
        let restore = |(i, y): (usize, Value)| {
            // A sequence has the time before the channels.
            if i == 0 && layer.options.return_sequences {
                let shape = b.shape(y).to_vec();
                let rest = shape.get(2..).unwrap_or_default();
                let flat = b.reshape(y, [&[batch * time], rest].concat())?;
                let flat = spatial::restore(b, flat, cell.data_format)?;
                let rest = b.shape(flat).iter().skip(1).copied().collect::<Vec<_>>();
                return b.reshape(flat, [&[batch, time], &rest[..]].concat());
            }
            spatial::restore(b, y, cell.data_format)
        };
        outputs.into_iter().enumerate().map(restore).collect()
    })
}

/// The convolution of the input, channels last, with the bias.
pub(super) fn input_product<const RANK: usize>(
    cell: &ConvLSTMCell<RANK>,
    b: &mut Builder<'_>,
    x: Value,
) -> Result<Value> {
    let x = spatial::channels_last(b, x, cell.data_format)?;
    let window = spatial::window(
        b,
        x,
        &cell.kernel_size.0,
        &cell.strides.0,
        &cell.dilation_rate.0,
        cell.padding,
    )?;
    let kernel = b.weight("kernel")?;
    let y = b.op(Conv::new(window, 1), &[x, kernel])?;
    if !cell.use_bias {
        return Ok(y);
    }
    let bias = b.weight("bias")?;
    b.add(y, bias)
}

/// One step from the product of the input: the output and the two states.
pub(super) fn step<const RANK: usize>(
    cell: &ConvLSTMCell<RANK>,
    b: &mut Builder<'_>,
    product: Value,
    states: &[Value],
    kernel: Value,
) -> Result<Vec<Value>> {
    let &[h, c] = states else { return Err(b.error("takes two states")) };
    let one = [1; RANK];
    let window = spatial::window(b, h, &cell.kernel_size.0, &one, &one, Padding::Same)?;
    let recurrent = b.op(Conv::new(window, 1), &[h, kernel])?;
    let z = b.add(product, recurrent)?;
    let (last, n) = (b.axis(z, -1)?, cell.filters);
    let gate = |b: &mut Builder<'_>, i: usize, of: &_| {
        let z = b.slice(z, last, i * n, (i + 1) * n)?;
        activation::apply(of, b, z)
    };
    let i = gate(b, 0, &cell.recurrent_activation)?;
    let f = gate(b, 1, &cell.recurrent_activation)?;
    let new = gate(b, 2, &cell.activation)?;
    let o = gate(b, 3, &cell.recurrent_activation)?;
    let kept = b.mul(f, c)?;
    let added = b.mul(i, new)?;
    let c = b.add(kept, added)?;
    let y = activation::apply(&cell.activation, b, c)?;
    let h = b.mul(o, y)?;
    Ok(vec![h, h, c])
}
