//! `Highway`.

use keras_model::layers::highway::Highway;

use super::{Call, activation, dense};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(layer: &Highway, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let linear = |b: &mut Builder<'_>, kernel: &str, bias: &str| {
        let kernel = b.weight(kernel)?;
        let y = dense::product(b, x, kernel)?;
        if !layer.use_bias {
            return Ok(y);
        }
        let bias = b.weight(bias)?;
        b.add(y, bias)
    };
    let gate = linear(b, "carry_kernel", "carry_bias")?;
    let gate = b.unary(Function::Sigmoid, gate)?;
    let y = linear(b, "kernel", "bias")?;
    let y = activation::apply(&layer.activation, b, y)?;
    // x + t · (y - x)
    let change = b.sub(y, x)?;
    let change = b.mul(gate, change)?;
    Ok(vec![b.add(x, change)?])
}
