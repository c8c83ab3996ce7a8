//! `Dense`.

use keras_model::layers::dense::Dense;
use keras_model::layers::quantized::Lora;

use super::{Call, activation};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Dense, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    if call.base.dtype.quantization.is_some() {
        return Err(b.unsupported("quantisation"));
    }
    let x = call.input(b)?;
    let kernel = kernel(b, "kernel", layer.lora)?;
    let mut y = product(b, x, kernel)?;
    if layer.use_bias {
        let bias = b.weight("bias")?;
        y = b.add(y, bias)?;
    }
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}

/// `x · kernel` along the last axis of `x`.
pub(super) fn product(b: &mut Builder<'_>, x: Value, kernel: Value) -> Result<Value> {
    let x = b.cast(x, b.dtype(kernel))?;
    if b.rank(x) >= 2 {
        return b.matmul(x, kernel);
    }
    let row = b.expand(x, 0)?;
    let y = b.matmul(row, kernel)?;
    let units = b.dim(y, -1)?;
    b.reshape(y, [units])
}

/// A weight with its low-rank update, if it has one.
pub(super) fn kernel(b: &mut Builder<'_>, name: &str, lora: Lora) -> Result<Value> {
    let kernel = b.weight(name)?;
    let (first, second) = (format!("lora_{name}_a"), format!("lora_{name}_b"));
    let Some(rank) = lora.lora_rank.filter(|_| b.has_weight(&first)) else { return Ok(kernel) };
    let (first, second) = (b.weight(&first)?, b.weight(&second)?);
    let update = b.matmul(first, second)?;
    let alpha = lora.lora_alpha.map_or(rank as f64, |a| a.0);
    let update = b.scale(update, alpha / rank as f64)?;
    b.add(kernel, update)
}
