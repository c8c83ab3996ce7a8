//! `BatchNormalization`.

use keras_model::DType;
use keras_model::layers::batch_normalization::BatchNormalization;

use super::{Call, axes};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

pub(super) fn lower(
    layer: &BatchNormalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let compute = b.compute();
    // Half precision is too small for the sums.
    let wide = if compute == DType::Float64 { DType::Float64 } else { DType::Float32 };
    let x = b.cast(x, wide)?;
    let axes = axes::of(b, x, &layer.axis)?;
    let gamma = if layer.scale { Some(b.stored_weight("gamma")?) } else { None };
    let beta = if layer.center { Some(b.stored_weight("beta")?) } else { None };
    let spread = |b: &mut Builder<'_>, weight: Value| {
        let weight = b.cast(weight, wide)?;
        axes::spread(b, weight, x, &axes)
    };
    let mut gamma = gamma.map(|w| spread(b, w)).transpose()?;
    let mut beta = beta.map(|w| spread(b, w)).transpose()?;
    let epsilon = layer.epsilon.0;
    if layer.mode == 1 {
        // Keras 1: each sample by itself; epsilon counts twice there.
        let (mean, variance) = b.moments(x, &axes)?;
        let deviation = b.with_number(Arithmetic::Add, variance, epsilon)?;
        let deviation = b.unary(Function::Sqrt, deviation)?;
        let deviation = b.with_number(Arithmetic::Add, deviation, epsilon)?;
        let centred = b.sub(x, mean)?;
        let mut y = b.div(centred, deviation)?;
        if let Some(gamma) = gamma {
            y = b.mul(y, gamma)?;
        }
        if let Some(beta) = beta {
            y = b.add(y, beta)?;
        }
        return Ok(vec![b.cast(y, compute)?]);
    }
    let others: Vec<usize> = (0..b.rank(x)).filter(|a| !axes.contains(a)).collect();
    let (mean, variance) = if layer.mode == 2 {
        b.moments(x, &others)?
    } else if b.training() && (call.base.trainable || b.writer().trains_frozen_statistics()) {
        let mask = call.mask(b);
        let (mean, variance) = statistics(b, x, &others, mask)?;
        if layer.renorm {
            let (deviation, middle) = (b.variable("renorm_stddev")?, b.variable("renorm_mean")?);
            let (deviation, middle) = (spread(b, deviation)?, spread(b, middle)?);
            let [r, d] = corrections(layer, b, [mean, variance], [middle, deviation])?;
            renorm_moves(layer, b, mean, variance)?;
            // (x r + d) gamma + beta
            let shift = match gamma {
                Some(gamma) => b.mul(d, gamma)?,
                None => d,
            };
            gamma = Some(match gamma {
                Some(gamma) => b.mul(r, gamma)?,
                None => r,
            });
            beta = Some(match beta {
                Some(beta) => b.add(shift, beta)?,
                None => shift,
            });
        } else if call.base.trainable {
            let variance = seen(b, x, &others, variance)?;
            moves(b, "moving_mean", mean, layer.momentum.0)?;
            moves(b, "moving_variance", variance, layer.momentum.0)?;
        }
        (mean, variance)
    } else {
        let (mean, variance) =
            (b.stored_weight("moving_mean")?, b.stored_weight("moving_variance")?);
        (spread(b, mean)?, spread(b, variance)?)
    };
    // All of this is constant unless the statistics are the batch's.
    let scale = b.with_number(Arithmetic::Add, variance, epsilon)?;
    let mut scale = b.unary(Function::Rsqrt, scale)?;
    if let Some(gamma) = gamma {
        scale = b.mul(scale, gamma)?;
    }
    let shift = b.mul(mean, scale)?;
    let mut shift = b.unary(Function::Neg, shift)?;
    if let Some(beta) = beta {
        shift = b.add(shift, beta)?;
    }
    let y = b.mul(x, scale)?;
    let y = b.add(y, shift)?;
    Ok(vec![b.cast(y, compute)?])
}

/// Moves a statistic of all batches towards that of this one.
fn moves(b: &mut Builder<'_>, name: &str, batch: Value, momentum: f64) -> Result<Value> {
    let before = b.variable(name)?;
    let before = b.cast(before, b.dtype(batch))?;
    let shape = b.shape(before).to_vec();
    let batch = b.reshape(batch, shape)?;
    let (before, batch) = (b.scale(before, momentum)?, b.scale(batch, 1.0 - momentum)?);
    let after = b.add(before, batch)?;
    b.assign(name, after)?;
    Ok(after)
}

/// The variance that the moving one is told: `tf.keras` has that of the samples' source for images,
/// larger by `n / (n - 1)`; Keras 3 that of the samples.
fn seen(b: &mut Builder<'_>, x: Value, axes: &[usize], variance: Value) -> Result<Value> {
    if b.is_keras3() || b.rank(x) < 4 {
        return Ok(variance);
    }
    let n: usize = axes.iter().filter_map(|axis| b.shape(x).get(*axis)).product();
    b.scale(variance, n as f64 / n.saturating_sub(1).max(1) as f64)
}

/// The statistics of batch renormalisation.
fn renorm_moves(
    layer: &BatchNormalization,
    b: &mut Builder<'_>,
    mean: Value,
    variance: Value,
) -> Result<()> {
    let epsilon = layer.epsilon.0;
    let deviation = b.with_number(Arithmetic::Add, variance, epsilon)?;
    let deviation = b.unary(Function::Sqrt, deviation)?;
    moves(b, "renorm_mean", mean, layer.renorm_momentum.0)?;
    moves(b, "renorm_stddev", deviation, layer.renorm_momentum.0)?;
    moves(b, "moving_mean", mean, layer.momentum.0)?;
    let deviation = moves(b, "moving_stddev", deviation, layer.momentum.0)?;
    let variance = b.mul(deviation, deviation)?;
    let variance = b.with_number(Arithmetic::Sub, variance, epsilon)?;
    let variance = b.with_number(Arithmetic::Max, variance, 0.0)?;
    b.assign("moving_variance", variance)
}

/// Of batch renormalisation: how far the statistics of a batch are from those of all batches before.
fn corrections(
    layer: &BatchNormalization,
    b: &mut Builder<'_>,
    [mean, variance]: [Value; 2],
    [middle, deviation]: [Value; 2],
) -> Result<[Value; 2]> {
    let epsilon = layer.epsilon.0;
    let own = b.with_number(Arithmetic::Add, variance, epsilon)?;
    let own = b.unary(Function::Sqrt, own)?;
    let deviation = b.with_number(Arithmetic::Max, deviation, epsilon.sqrt())?;
    let mut r = b.div(own, deviation)?;
    let distance = b.sub(mean, middle)?;
    let mut d = b.div(distance, deviation)?;
    let limit = |name: &str| Some(layer.renorm_clipping.as_ref()?.get(name)?.as_ref()?.0);
    if let Some(least) = limit("rmin") {
        r = b.with_number(Arithmetic::Max, r, least)?;
    }
    if let Some(most) = limit("rmax") {
        r = b.with_number(Arithmetic::Min, r, most)?;
    }
    if let Some(most) = limit("dmax") {
        d = b.unary(Function::Clip(-most, most), d)?;
    }
    Ok([b.stop_gradient(r)?, b.stop_gradient(d)?])
}

/// Mean and variance of a batch, of what the mask `[batch, steps]` lets through.
fn statistics(
    b: &mut Builder<'_>,
    x: Value,
    axes: &[usize],
    mask: Option<Value>,
) -> Result<(Value, Value)> {
    let Some(mask) = mask else {
        return b.moments(x, axes);
    };
    let mask = b.expand(mask, b.rank(mask))?;
    let shape = b.shape(x).to_vec();
    let mask = b.broadcast_to(mask, shape)?;
    let count = b.cast(mask, b.dtype(x))?;
    let count = b.sum(count, axes, true)?;
    // Keras's `backend.epsilon()`.
    let count = b.with_number(Arithmetic::Add, count, 1e-7)?;
    let zero = b.scalar(0.0, b.dtype(x))?;
    let masked_mean = |b: &mut Builder<'_>, x: Value| {
        let x = b.select(mask, x, zero)?;
        let sum = b.sum(x, axes, true)?;
        b.div(sum, count)
    };
    let mean = masked_mean(b, x)?;
    let squares = b.binary(Arithmetic::SquaredDifference, x, mean)?;
    Ok((mean, masked_mean(b, squares)?))
}
