//! `ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`.

use keras_model::layers::conv_lstm::{ConvLSTM, ConvLSTMCell};
use keras_model::layers::spatial::Padding;

use super::recurrent::{self, given_states, in_cell};
use super::recurrent_dropout::is_active;
use super::{Call, activation, dropout, rnn, spatial};
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
    let &[batch, time, ..] = shape.as_slice() else {
        return Err(b.error(format!("expected [batch, time, ..], found shape {shape:?}")));
    };
    b.forget_noise();
    in_cell(b, call, "conv_lstm_cell", |b| {
        // The convolutions of the input of all steps at once.
        let products = input_product(cell, b, x, Some(time))?;
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

/// The convolution of the input with the bias, channels last. Of a sequence `[batch, time, ..]` the
/// steps are samples of their own. What is dropped is the same in all steps, another for each gate.
pub(super) fn input_product<const RANK: usize>(
    cell: &ConvLSTMCell<RANK>,
    b: &mut Builder<'_>,
    x: Value,
    time: Option<usize>,
) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let (batch, rest) = (shape.first().copied().unwrap_or(0), shape.get(2..).unwrap_or_default());
    let samples = |b: &mut Builder<'_>, x: Value| match time {
        Some(time) => b.reshape(x, [&[batch * time], rest].concat()),
        None => Ok(x),
    };
    if !b.training() || !is_active(cell.dropout.0) {
        let x = samples(b, x)?;
        return convolved(cell, b, x, None);
    }
    let mut step = shape.clone();
    if time.is_some() {
        step.remove(1);
    }
    let mut products = Vec::with_capacity(GATES);
    for gate in 0..GATES {
        let dtype = b.dtype(x);
        let name = ("input", gate);
        let factors = b.noise(name, |b| dropout::factors(b, &step, cell.dropout.0, dtype))?;
        let factors = if time.is_some() { b.expand(factors, 1)? } else { factors };
        let seen = b.mul(x, factors)?;
        let seen = samples(b, seen)?;
        products.push(convolved(cell, b, seen, Some(gate))?);
    }
    let last = b.axis(x, -1)? - usize::from(time.is_some());
    b.concat(&products, last)
}

/// Input, forgetting, candidate, output.
const GATES: usize = 4;

/// The part of a weight that belongs to a gate, or all of it.
fn part(b: &mut Builder<'_>, weight: Value, gate: Option<usize>) -> Result<Value> {
    let Some(gate) = gate else { return Ok(weight) };
    let (last, n) = (b.axis(weight, -1)?, b.dim(weight, -1)? / GATES);
    b.slice(weight, last, gate * n, (gate + 1) * n)
}

/// The product for one gate, or for all of them.
fn convolved<const RANK: usize>(
    cell: &ConvLSTMCell<RANK>,
    b: &mut Builder<'_>,
    x: Value,
    gate: Option<usize>,
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
    let kernel = part(b, kernel, gate)?;
    let y = b.op(Conv::new(window, 1), &[x, kernel])?;
    if !cell.use_bias {
        return Ok(y);
    }
    let bias = b.weight("bias")?;
    let bias = part(b, bias, gate)?;
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
    let recurrent = if b.training() && is_active(cell.recurrent_dropout.0) {
        let shape = b.shape(h).to_vec();
        let mut products = Vec::with_capacity(GATES);
        for gate in 0..GATES {
            let (name, rate, dtype) = (("state", gate), cell.recurrent_dropout.0, b.dtype(h));
            let factors = b.noise(name, |b| dropout::factors(b, &shape, rate, dtype))?;
            let seen = b.mul(h, factors)?;
            let kernel = part(b, kernel, Some(gate))?;
            products.push(b.op(Conv::new(window.clone(), 1), &[seen, kernel])?);
        }
        let last = b.axis(h, -1)?;
        b.concat(&products, last)?
    } else {
        b.op(Conv::new(window, 1), &[h, kernel])?
    };
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
