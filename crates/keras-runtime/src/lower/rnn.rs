//! `RNN`: any cell, step by step.

use keras_model::layers::rnn::RNN;
use keras_model::{DType, Inputs, Kind, Layer};

use super::recurrent::{self, given_states};
use super::{Call, gru_cell, lstm_cell, simple_rnn_cell};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &RNN, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    // The common cells have a loop of their own.
    b.enter(&layer.cell.base);
    let common = match &layer.cell.kind {
        Kind::LSTMCell(cell) => Some(lstm_cell::cell(cell, b)),
        Kind::GRUCell(cell) => Some(gru_cell::cell(cell, b)),
        Kind::SimpleRNNCell(cell) => Some(simple_rnn_cell::cell(cell, b)),
        _ => None,
    };
    b.leave();
    if let Some(cell) = common {
        let cell = cell?;
        // Other activations than functions of one number are lowered step by step.
        if recurrent::is_common(&cell) {
            return recurrent::lower(b, call, &cell, &layer.options);
        }
    }
    let mut x = call.input(b)?;
    let mut mask = call.mask(b);
    let options = &layer.options;
    if options.time_major {
        x = b.move_axis(x, 0, 1)?;
        mask = mask.map(|m| b.move_axis(m, 0, 1)).transpose()?;
    }
    let time = b.dim(x, 1)?;
    let mut step = b.shape(x).to_vec();
    step.remove(1);
    // What it is called with needs no shapes of its own.
    let shapes = match given_states(call).as_slice() {
        [] => state_shapes(b, &layer.cell, &step, x)?,
        _ => Vec::new(),
    };
    let states = recurrent::first_states(b, call, options, &shapes)?;
    b.forget_noise();
    let cell = &layer.cell;
    over_time(b, x, mask, states, options, time, |b, x, states| {
        let tensors = std::iter::once(x).chain(states.iter().copied());
        super::layer(cell, b, &Inputs::list(tensors.collect()))
    })
}

/// Shapes of a cell's states for one step of shape `step`.
fn state_shapes(
    b: &Builder<'_>,
    cell: &Layer,
    step: &[usize],
    x: Value,
) -> Result<Vec<Vec<usize>>> {
    let dtype = b.dtype(x);
    let tensor = keras_model::KerasTensor::new(step, dtype);
    let outputs = cell.output(&Inputs::one(tensor))?;
    let states = outputs.iter().skip(1).map(|t| t.shape.known());
    let states: Option<Vec<Vec<usize>>> = states.collect();
    states.ok_or_else(|| b.error("the states of the cell have no shape"))
}

/// Runs `step` for each element of axis 1 of `x`: it gives the output and the new states.
pub(super) fn over_time(
    b: &mut Builder<'_>,
    x: Value,
    mask: Option<Value>,
    mut states: Vec<Value>,
    options: &keras_model::layers::recurrent::Options,
    time: usize,
    mut step: impl FnMut(&mut Builder<'_>, Value, &[Value]) -> Result<Vec<Value>>,
) -> Result<Vec<Value>> {
    let mut outputs = Vec::new();
    let mut before: Option<Value> = None;
    for i in 0..time {
        let t = if options.go_backwards { time - 1 - i } else { i };
        let here = b.at(x, 1, t)?;
        let mut all = step(b, here, &states)?.into_iter();
        let Some(mut output) = all.next() else { return Err(b.error("the cell has no output")) };
        let mut after: Vec<Value> = all.collect();
        if let Some(mask) = mask {
            let here = b.at(mask, 1, t)?;
            let here = b.cast(here, DType::Bool)?;
            let choose = |b: &mut Builder<'_>, yes: Value, no: Value| {
                let mut shape = b.shape(here).to_vec();
                shape.resize(b.rank(yes), 1);
                let here = b.reshape(here, shape)?;
                b.select(here, yes, no)
            };
            for (new, old) in after.iter_mut().zip(&states) {
                *new = choose(b, *new, *old)?;
            }
            let other = match before.filter(|_| !options.zero_output_for_mask) {
                Some(before) => before,
                None => b.scalar(0.0, b.dtype(output))?,
            };
            output = choose(b, output, other)?;
            before = Some(output);
        }
        states = after;
        outputs.push(b.expand(output, 1)?);
    }
    if outputs.is_empty() {
        return Err(b.error("a sequence without steps"));
    }
    let sequence = b.concat(&outputs, 1)?;
    let all: Vec<Value> = std::iter::once(sequence).chain(states).collect();
    recurrent::finish(b, options, &all, time)
}
