//! `LayerNormalization`.

use keras_model::DType;
use keras_model::layers::layer_normalization::LayerNormalization;

use super::{Call, axes};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Normalize, size};

pub(super) fn lower(
    layer: &LayerNormalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let axes = axes::of(b, x, &layer.axis)?;
    // The last axes, as is usual, are rows.
    if !layer.rms_scaling && axes.iter().copied().eq(b.rank(x) - axes.len()..b.rank(x)) {
        return rows(layer, b, x, axes.len());
    }
    let gamma = if layer.scale || layer.rms_scaling { weight(b, "gamma", x, &axes)? } else { None };
    let beta = if layer.center { weight(b, "beta", x, &axes)? } else { None };
    let compute = b.compute();
    let wide = if compute == DType::Float64 { DType::Float64 } else { DType::Float32 };
    let x = b.cast(x, wide)?;
    let (variance, centred) = if layer.rms_scaling {
        (b.variance(x, &axes, true)?, x)
    } else {
        let (mean, variance) = b.moments(x, &axes)?;
        (variance, b.sub(x, mean)?)
    };
    let scale = b.with_number(Arithmetic::Add, variance, layer.epsilon.0)?;
    let scale = b.unary(Function::Rsqrt, scale)?;
    let mut y = b.mul(centred, scale)?;
    if let Some(gamma) = gamma {
        y = b.mul(y, gamma)?;
    }
    if let Some(beta) = beta {
        y = b.add(y, beta)?;
    }
    Ok(vec![b.cast(y, compute)?])
}

/// Normalises along the last `count` axes.
fn rows(
    layer: &LayerNormalization,
    b: &mut Builder<'_>,
    x: Value,
    count: usize,
) -> Result<Vec<Value>> {
    let compute = b.compute();
    let wide = if compute == DType::Float64 { DType::Float64 } else { DType::Float32 };
    let shape = b.shape(x).to_vec();
    let (outer, inner) = shape.split_at(shape.len() - count);
    let x = b.cast(x, wide)?;
    let mut inputs = vec![b.reshape(x, [size(outer), size(inner)])?];
    let (mut scale, mut centre) = (false, false);
    for (name, wanted, has) in
        [("gamma", layer.scale, &mut scale), ("beta", layer.center, &mut centre)]
    {
        *has = wanted && b.has_weight(name);
        if *has {
            let weight = b.weight(name)?;
            let weight = b.reshape(weight, [size(inner)])?;
            inputs.push(b.cast(weight, wide)?);
        }
    }
    let y = b.op(Normalize { epsilon: layer.epsilon.0, scale, centre }, &inputs)?;
    let y = b.reshape(y, shape)?;
    Ok(vec![b.cast(y, compute)?])
}

fn weight(b: &mut Builder<'_>, name: &str, x: Value, axes: &[usize]) -> Result<Option<Value>> {
    if !b.has_weight(name) {
        return Ok(None);
    }
    let weight = b.weight(name)?;
    let weight = axes::spread(b, weight, x, axes)?;
    let wide = if b.compute() == DType::Float64 { DType::Float64 } else { DType::Float32 };
    Ok(Some(b.cast(weight, wide)?))
}
