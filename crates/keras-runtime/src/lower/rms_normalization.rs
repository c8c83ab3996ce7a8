//! `RMSNormalization`.

use keras_model::DType;
use keras_model::layers::rms_normalization::RMSNormalization;

use super::{Call, axes};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

pub(super) fn lower(
    layer: &RMSNormalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let axes = axes::of(b, x, &layer.axis)?;
    let scale = b.weight("scale")?;
    let scale = axes::spread(b, scale, x, &axes)?;
    let y = normalize(b, x, Some(scale), &axes, layer.epsilon.0)?;
    Ok(vec![b.cast(y, b.compute())?])
}

/// `x / √(mean x² + epsilon) · scale`
pub(super) fn normalize(
    b: &mut Builder<'_>,
    x: Value,
    scale: Option<Value>,
    axes: &[usize],
    epsilon: f64,
) -> Result<Value> {
    let wide = if b.dtype(x) == DType::Float64 { DType::Float64 } else { DType::Float32 };
    let x = b.cast(x, wide)?;
    let square = b.unary(Function::Square, x)?;
    let mean = b.mean(square, axes, true)?;
    let mean = b.with_number(Arithmetic::Add, mean, epsilon)?;
    let root = b.unary(Function::Rsqrt, mean)?;
    let y = b.mul(x, root)?;
    match scale {
        Some(scale) => b.mul(y, scale),
        None => Ok(y),
    }
}
