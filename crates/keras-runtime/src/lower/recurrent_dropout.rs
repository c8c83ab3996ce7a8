//! Dropout in recurrent cells: what is dropped stays the same for all steps. Sources:
//! `keras/src/layers/rnn/{dropout_rnn_cell,lstm,gru,simple_rnn}.py`, Keras 3.15.

use super::recurrent::Cell;
use super::{activation, dense, dropout};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::CellKind;

/// Whether so much is dropped: LSTM and GRU drop nothing at a rate of 1.
pub(super) fn is_active(rate: f64) -> bool {
    rate > 0.0 && rate < 1.0
}

/// The sequence `[batch, time, features]` as the cell sees it: all gates the same.
pub(super) fn dropped_input(b: &mut Builder<'_>, x: Value, cell: &Cell<'_>) -> Result<Value> {
    if !b.training() || !is_active(cell.dropout) {
        return Ok(x);
    }
    let factors = input_factors(b, x, cell, 0)?;
    b.mul(x, factors)
}

/// What the steps of a sequence are multiplied with, for one gate: `[batch, 1, features]`.
fn input_factors(b: &mut Builder<'_>, x: Value, cell: &Cell<'_>, gate: usize) -> Result<Value> {
    let mut shape = b.shape(x).to_vec();
    shape.remove(1);
    let factors =
        b.noise(("input", gate), |b| dropout::factors(b, &shape, cell.dropout, b.dtype(x)))?;
    b.expand(factors, 1)
}

/// The columns of a gate.
fn gate(b: &mut Builder<'_>, x: Value, cell: &Cell<'_>, gate: usize) -> Result<Value> {
    let last = b.rank(x).saturating_sub(1);
    b.slice(x, last, gate * cell.units, (gate + 1) * cell.units)
}

/// The product of the input for a cell that drops of its state: each gate has an input of its own.
pub(super) fn input_product(b: &mut Builder<'_>, x: Value, cell: &Cell<'_>) -> Result<Value> {
    let x = b.cast(x, b.dtype(cell.kernel))?;
    let mut products = Vec::with_capacity(cell.kind.gates());
    for i in 0..cell.kind.gates() {
        let x = if is_active(cell.dropout) {
            let factors = input_factors(b, x, cell, i)?;
            b.mul(x, factors)?
        } else {
            x
        };
        let kernel = gate(b, cell.kernel, cell, i)?;
        products.push(dense::product(b, x, kernel)?);
    }
    let last = b.rank(x).saturating_sub(1);
    let product = b.concat(&products, last)?;
    match cell.input_bias {
        Some(bias) => b.add(product, bias),
        None => Ok(product),
    }
}

/// One step of a cell that drops of its state: output and new states, of the input's product and
/// the states.
pub(super) fn step(
    b: &mut Builder<'_>,
    cell: &Cell<'_>,
    x: Value,
    states: &[Value],
) -> Result<Vec<Value>> {
    let Some(h) = states.first().copied() else { return Err(b.error("called without a state")) };
    let h = b.cast(h, b.dtype(x))?;
    // The state as a gate sees it.
    let seen = |b: &mut Builder<'_>, i: usize| {
        let shape = b.shape(h).to_vec();
        let factors = b.noise(("state", i), |b| {
            dropout::factors(b, &shape, cell.recurrent_dropout, b.dtype(h))
        })?;
        b.mul(h, factors)
    };
    let product = |b: &mut Builder<'_>, h: Value, i: usize| {
        let kernel = gate(b, cell.recurrent_kernel, cell, i)?;
        let y = dense::product(b, h, kernel)?;
        match cell.state_bias {
            Some(bias) => {
                let bias = gate(b, bias, cell, i)?;
                b.add(y, bias)
            }
            None => Ok(y),
        }
    };
    let sum = |b: &mut Builder<'_>, i: usize| {
        let h = seen(b, i)?;
        let recurrent = product(b, h, i)?;
        let x = gate(b, x, cell, i)?;
        b.add(x, recurrent)
    };
    let gated = |b: &mut Builder<'_>, i: usize| {
        let sum = sum(b, i)?;
        activation::apply(cell.recurrent_activation, b, sum)
    };
    match cell.kind {
        CellKind::Simple => {
            let sum = sum(b, 0)?;
            let h = activation::apply(cell.activation, b, sum)?;
            Ok(vec![h, h])
        }
        CellKind::Lstm => {
            let c = states.get(1).copied().ok_or_else(|| b.error("called with one state"))?;
            let c = b.cast(c, b.dtype(x))?;
            let (i, f) = (gated(b, 0)?, gated(b, 1)?);
            let candidate = sum(b, 2)?;
            let candidate = activation::apply(cell.activation, b, candidate)?;
            let o = gated(b, 3)?;
            let (kept, new) = (b.mul(f, c)?, b.mul(i, candidate)?);
            let c = b.add(kept, new)?;
            let y = activation::apply(cell.activation, b, c)?;
            let h = b.mul(o, y)?;
            Ok(vec![h, h, c])
        }
        CellKind::Gru { reset_after } => {
            let (z, r) = (gated(b, 0)?, gated(b, 1)?);
            let seen = seen(b, 2)?;
            let recurrent = if reset_after {
                let recurrent = product(b, seen, 2)?;
                b.mul(r, recurrent)?
            } else {
                let reset = b.mul(r, seen)?;
                product(b, reset, 2)?
            };
            let candidate = gate(b, x, cell, 2)?;
            let candidate = b.add(candidate, recurrent)?;
            let candidate = activation::apply(cell.activation, b, candidate)?;
            // z · h + (1 - z) · candidate
            let distance = b.sub(h, candidate)?;
            let kept = b.mul(z, distance)?;
            let h = b.add(candidate, kept)?;
            Ok(vec![h, h])
        }
    }
}
