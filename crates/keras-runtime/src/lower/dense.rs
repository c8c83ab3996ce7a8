//! `Dense`.

use keras_model::Quantization;
use keras_model::layers::dense::Dense;
use keras_model::layers::quantized::Lora;

use super::quantized::{self, Kernel, Rounding};
use super::{Call, activation};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Dense, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let mode = call.base.dtype.quantization.as_ref();
    let mut y = match mode {
        Some(mode) => quantized_product(layer, b, x, mode)?,
        None => {
            let kernel = kernel(b, "kernel", layer.lora)?;
            product(b, x, kernel)?
        }
    };
    if layer.use_bias {
        let bias = quantized::bias(b, mode)?;
        y = b.add(y, bias)?;
    }
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}

/// The same with a kernel of few bits.
fn quantized_product(
    layer: &Dense,
    b: &mut Builder<'_>,
    x: Value,
    mode: &Quantization,
) -> Result<Value> {
    let compute = b.compute();
    let x = b.cast(x, compute)?;
    let config = layer.quantization_config.as_ref();
    let kernel = Kernel { columns: layer.units, config, zero: "kernel_zero" };
    let (whole, by_channel) = match mode {
        Quantization::Int8 => (true, true),
        Quantization::Int4 { block_size } => {
            (false, quantized::block_size(config, *block_size).is_none())
        }
        _ => (false, false),
    };
    let y = match Rounding::of(config, whole).filter(|_| by_channel) {
        Some(rounding) => {
            let (rounded, scale) =
                rounding.straight_through(b, x, &[b.rank(x).saturating_sub(1)])?;
            let kernel = if whole {
                quantized::whole(b, "kernel")?
            } else {
                quantized::unpack(b, "kernel", 1, layer.units, true)?
            };
            let y = product(b, rounded, kernel)?;
            let y = b.cast(y, compute)?;
            let kernel_scale = b.weight("kernel_scale")?;
            let scale = b.mul(kernel_scale, scale)?;
            b.div(y, scale)?
        }
        None => {
            let kernel = kernel.floats(b, mode)?;
            let x = match mode {
                Quantization::Float8 { .. } => quantized::float8(b, x, "inputs_scale")?,
                _ => x,
            };
            product(b, x, kernel)?
        }
    };
    let Some((first, second, factor)) = quantized::lora(b, "kernel", layer.lora) else {
        return Ok(y);
    };
    let (first, second) = (b.weight(&first)?, b.weight(&second)?);
    let update = product(b, x, first)?;
    let update = product(b, update, second)?;
    let update = b.scale(update, factor)?;
    b.add(y, update)
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
