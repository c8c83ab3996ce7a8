//! `Pipeline`.

use keras_model::layers::pipeline::Pipeline;
use keras_model::{Arg, Inputs};

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Pipeline, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let mut inputs = call.inputs.clone();
    let mut outputs = call.tensors();
    for layer in &layer.layers {
        outputs = super::layer(layer, b, &inputs)?;
        let args = outputs.iter().copied().map(Arg::Tensor).collect();
        inputs = Inputs { args, kwargs: Vec::new() };
    }
    Ok(outputs)
}
