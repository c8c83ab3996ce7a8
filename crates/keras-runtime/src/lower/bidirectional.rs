//! `Bidirectional`.

use keras_model::layers::bidirectional::{Bidirectional, MergeMode};
use keras_model::{Arg, Inputs};

use super::Call;
use super::recurrent::{given_states, options};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

pub(super) fn lower(
    layer: &Bidirectional,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let mask = call.mask(b);
    let states = given_states(call);
    let (first, second) = states.split_at(states.len() / 2);
    let forward = super::layer(&layer.layer, b, &inputs(x, mask, first))?;
    // A copy of the forward layer reads against it: the sequence is turned around.
    let (x, mask) = if layer.backward_layer.is_none() {
        let turned = b.flip(x, 1)?;
        (turned, mask.map(|m| b.flip(m, 1)).transpose()?)
    } else {
        (x, mask)
    };
    let backward = super::layer(&layer.backward(), b, &inputs(x, mask, second))?;
    let (Some((y, states)), Some((z, other))) = (forward.split_first(), backward.split_first())
    else {
        return Err(b.error("the wrapped layer has no output"));
    };
    let (y, mut z) = (*y, *z);
    let returns_sequences = options(&layer.layer.kind).is_some_and(|o| o.return_sequences);
    if returns_sequences {
        z = b.flip(z, 1)?;
    }
    let mut out = match layer.merge_mode {
        None => vec![y, z],
        Some(MergeMode::Concat) => {
            let last = b.axis(y, -1)?;
            vec![b.concat(&[y, z], last)?]
        }
        Some(MergeMode::Sum) => vec![b.add(y, z)?],
        Some(MergeMode::Mul) => vec![b.mul(y, z)?],
        Some(MergeMode::Ave) => {
            let sum = b.add(y, z)?;
            vec![b.with_number(Arithmetic::Div, sum, 2.0)?]
        }
    };
    out.extend(states.iter().chain(other));
    Ok(out)
}

fn inputs(x: Value, mask: Option<Value>, states: &[Value]) -> Inputs<Value> {
    let mut inputs = Inputs::one(x);
    if !states.is_empty() {
        let states = Arg::List(states.iter().map(|s| Arg::Tensor(*s)).collect());
        inputs.kwargs.push(("initial_state".to_owned(), states));
    }
    inputs.kwargs.extend(mask.map(|m| ("mask".to_owned(), Arg::Tensor(m))));
    inputs
}
