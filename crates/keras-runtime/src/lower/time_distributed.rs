//! `TimeDistributed`: time steps are samples.

use keras_model::layers::time_distributed::TimeDistributed;
use keras_model::{Inputs, Kind};

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
    let is_norm = |l: &keras_model::Layer| matches!(l.kind, Kind::BatchNormalization(_));
    if b.training() && b.is_keras3() && super::any_layer(&layer.layer, &is_norm) {
        return step_by_step(layer, b, x, time);
    }
    let steps = b.reshape(x, [&[batch * time], rest].concat())?;
    let outputs = super::call_only(&layer.layer, b, &Inputs::one(steps))?;
    let split = outputs.into_iter().map(|y| {
        let rest = b.shape(y).iter().skip(1).copied();
        let shape: Vec<usize> = [batch, time].into_iter().chain(rest).collect();
        b.reshape(y, shape)
    });
    split.collect()
}

/// Keras 3 calls the layer once for each step, so that each has statistics of its own.
fn step_by_step(
    layer: &TimeDistributed,
    b: &mut Builder<'_>,
    x: Value,
    time: usize,
) -> Result<Vec<Value>> {
    let mut all: Vec<Vec<Value>> = Vec::new();
    for step in 0..time {
        let part = b.at(x, 1, step)?;
        let outputs = super::call_only(&layer.layer, b, &Inputs::one(part))?;
        all.resize(outputs.len(), Vec::new());
        for (steps, y) in all.iter_mut().zip(outputs) {
            steps.push(b.expand(y, 1)?);
        }
    }
    all.iter().map(|steps| b.concat(steps, 1)).collect()
}
