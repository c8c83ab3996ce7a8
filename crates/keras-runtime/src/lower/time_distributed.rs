//! `TimeDistributed`: time steps are samples.

use keras_model::Inputs;
use keras_model::layers::time_distributed::TimeDistributed;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &TimeDistributed,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let shape = b.shape(x).to_vec();
    let &[batch, time, ref rest @ ..] = shape.as_slice() else {
        return Err(b.error(format!("expected [batch, time, ..], found shape {shape:?}")));
    };
    let steps = b.reshape(x, [&[batch * time], rest].concat())?;
    let outputs = super::layer(&layer.layer, b, &Inputs::one(steps))?;
    let split = outputs.into_iter().map(|y| {
        let rest = b.shape(y).iter().skip(1).copied();
        let shape: Vec<usize> = [batch, time].into_iter().chain(rest).collect();
        b.reshape(y, shape)
    });
    split.collect()
}
