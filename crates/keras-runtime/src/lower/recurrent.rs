//! What recurrent layers share: the product of all steps at once, then the loop over time.

use keras_model::activations::Activation;
use keras_model::layers::recurrent::Options;
use keras_model::{DType, Kind};

use super::{Call, activation, dense, recurrent_dropout, rnn};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{CellKind, Function, Recurrent};

/// The options of a recurrent layer.
pub(crate) fn options(kind: &Kind) -> Option<&Options> {
    Some(match kind {
        Kind::LSTM(l) => &l.options,
        Kind::GRU(l) => &l.options,
        Kind::SimpleRNN(l) => &l.options,
        Kind::RNN(l) | Kind::ConvRNN2D(l) => &l.options,
        Kind::ConvLSTM1D(l) => &l.options,
        Kind::ConvLSTM2D(l) => &l.options,
        Kind::ConvLSTM3D(l) => &l.options,
        Kind::CuDNNLSTM(l) => &l.options,
        Kind::CuDNNGRU(l) => &l.options,
        _ => return None,
    })
}

/// A layer with one of the common cells.
pub(super) struct Cell<'a> {
    pub(super) kind: CellKind,
    pub(super) units: usize,
    pub(super) activation: &'a Activation,
    pub(super) recurrent_activation: &'a Activation,
    /// The bias of the input and the bias of the state.
    pub(super) input_bias: Option<Value>,
    pub(super) state_bias: Option<Value>,
    pub(super) kernel: Value,
    pub(super) recurrent_kernel: Value,
    /// Shares of the input and of the state that are dropped in training.
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
}

/// Runs `lower` with the weights of the layer's own cell in reach.
pub(super) fn in_cell<T>(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    name: &str,
    lower: impl FnOnce(&mut Builder<'_>) -> Result<T>,
) -> Result<T> {
    let base = keras_model::Base { name: name.to_owned(), ..call.base.clone() };
    b.enter(&base);
    let result = lower(b);
    b.leave();
    result
}

/// The states that a recurrent layer is called with: `initial_state`, or tensors behind the first.
pub(super) fn given_states(call: &Call<'_>) -> Vec<Value> {
    let mut states = Vec::new();
    match call.inputs.named("initial_state", usize::MAX) {
        Some(argument) => argument.tensors(&mut states),
        None => {
            let all = call.inputs.tensors();
            return all.into_iter().skip(1).copied().collect();
        }
    }
    states.into_iter().copied().collect()
}

/// The function of one number that the loop over time applies, if it is one.
fn function(activation: &Activation) -> Option<Function> {
    match activation {
        Activation::Linear => Some(Function::Clip(f64::NEG_INFINITY, f64::INFINITY)),
        other => activation::function(other),
    }
}

/// Whether both activations are functions of one number.
pub(super) fn is_common(cell: &Cell<'_>) -> bool {
    function(cell.activation).is_some() && function(cell.recurrent_activation).is_some()
}

/// One step of a cell that is called as a layer: the output and the new states.
pub(super) fn step(b: &mut Builder<'_>, call: &Call<'_>, cell: &Cell<'_>) -> Result<Vec<Value>> {
    let mut tensors = call.tensors().into_iter();
    let Some(x) = tensors.next() else { return Err(b.error("called without a tensor")) };
    let x = b.expand(x, 1)?;
    let states: Vec<Value> = tensors.collect();
    if b.training() && recurrent_dropout::is_active(cell.recurrent_dropout) {
        let x = recurrent_dropout::input_product(b, x, cell)?;
        let x = b.at(x, 1, 0)?;
        return recurrent_dropout::step(b, cell, x, &states);
    }
    let sequence = Call { base: call.base, inputs: keras_model::Inputs::one(x) };
    let outputs = run(b, &sequence, cell, [false, false], &states)?;
    let Some((sequence, states)) = outputs.split_first() else {
        return Err(b.error("the cell has no output"));
    };
    let y = b.at(*sequence, 1, 0)?;
    Ok(std::iter::once(y).chain(states.iter().copied()).collect())
}

pub(super) fn lower(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    cell: &Cell<'_>,
    options: &Options,
) -> Result<Vec<Value>> {
    let mut x = call.input(b)?;
    let mut mask = call.mask(b);
    if options.time_major {
        x = b.move_axis(x, 0, 1)?;
        mask = mask.map(|m| b.move_axis(m, 0, 1)).transpose()?;
    }
    let (batch, time) = (b.dim(x, 0)?, b.dim(x, 1)?);
    let shapes = vec![vec![batch, cell.units]; cell.kind.states()];
    let states = first_states(b, call, options, &shapes)?;
    b.forget_noise();
    if b.training() && recurrent_dropout::is_active(cell.recurrent_dropout) {
        let x = recurrent_dropout::input_product(b, x, cell)?;
        return rnn::over_time(b, x, mask, states, options, time, |b, x, states| {
            recurrent_dropout::step(b, cell, x, states)
        });
    }
    let mut inputs = keras_model::Inputs::one(x);
    inputs.kwargs.extend(mask.map(|m| ("mask".to_owned(), keras_model::Arg::Tensor(m))));
    let sequence = Call { base: call.base, inputs };
    let flags = [options.go_backwards, options.zero_output_for_mask];
    let outputs = run(b, &sequence, cell, flags, &states)?;
    finish(b, options, &outputs, time)
}

/// The states that a layer starts from: those it is called with, those that the prediction before
/// left it, or zeros.
pub(super) fn first_states(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    options: &Options,
    shapes: &[Vec<usize>],
) -> Result<Vec<Value>> {
    let given = given_states(call);
    if !given.is_empty() {
        return Ok(given);
    }
    let dtype = b.compute();
    let state = |(index, shape): (usize, &Vec<usize>)| {
        if options.stateful {
            b.state(index, shape, dtype)
        } else {
            b.full(shape.clone(), 0.0, dtype)
        }
    };
    shapes.iter().enumerate().map(state).collect()
}

/// The outputs of all steps and the last states; `given` are the first states.
fn run(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    cell: &Cell<'_>,
    [backwards, zero_masked]: [bool; 2],
    given: &[Value],
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let mask = call.keyword("mask");
    let x = b.cast(x, b.dtype(cell.kernel))?;
    let &[batch, time, _] = b.shape(x) else {
        let shape = b.shape(x);
        return Err(b.error(format!("expected [batch, time, features], found shape {shape:?}")));
    };
    let unknown = |a: &Activation| format!("the activation {:?} in a cell", a.name());
    let activation = function(cell.activation);
    let activation = activation.ok_or_else(|| b.unsupported(unknown(cell.activation)))?;
    let gates = function(cell.recurrent_activation);
    let gates = gates.ok_or_else(|| b.unsupported(unknown(cell.recurrent_activation)))?;
    let x = recurrent_dropout::dropped_input(b, x, cell)?;
    let mut product = dense::product(b, x, cell.kernel)?;
    if let Some(bias) = cell.input_bias {
        product = b.add(product, bias)?;
    }
    let mut inputs = vec![product, cell.recurrent_kernel];
    for i in 0..cell.kind.states() {
        let state = given.get(i).ok_or_else(|| b.error("is called with too few states"))?;
        inputs.push(b.cast(*state, b.dtype(product))?);
    }
    inputs.extend(cell.state_bias);
    if let Some(mask) = mask {
        let mask = b.reshape(mask, [batch, time])?;
        inputs.push(b.cast(mask, DType::Bool)?);
    }
    let op = Recurrent {
        kind: cell.kind,
        activation,
        gate_function: gates,
        backwards,
        zero_masked,
        bias: cell.state_bias.is_some(),
        masked: mask.is_some(),
        packed: None,
    };
    b.ops(op, &inputs)
}

/// The outputs that the options ask for, of all steps' outputs and the last states.
pub(super) fn finish(
    b: &mut Builder<'_>,
    options: &Options,
    outputs: &[Value],
    time: usize,
) -> Result<Vec<Value>> {
    let Some((sequence, states)) = outputs.split_first() else {
        return Err(b.error("the cell has no output"));
    };
    if options.stateful {
        for (index, state) in states.iter().enumerate() {
            b.keep_state(index, *state)?;
        }
    }
    let first = if options.return_sequences {
        if options.time_major { b.move_axis(*sequence, 1, 0)? } else { *sequence }
    } else if time == 0 {
        return Err(b.error("a sequence without steps has no last output"));
    } else {
        b.at(*sequence, 1, time - 1)?
    };
    let mut all = vec![first];
    if options.return_state {
        all.extend(states);
    }
    Ok(all)
}
