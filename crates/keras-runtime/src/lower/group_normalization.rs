//! `GroupNormalization`.

use keras_model::DType;
use keras_model::layers::group_normalization::GroupNormalization;

use super::{Call, axes};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

pub(super) fn lower(
    layer: &GroupNormalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let compute = b.compute();
    let wide = if compute == DType::Float64 { DType::Float64 } else { DType::Float32 };
    let axis = b.axis(x, layer.axis)?;
    let channels = b.dim(x, layer.axis)?;
    // -1: as many groups as channels.
    let groups = usize::try_from(layer.groups).unwrap_or(channels);
    if channels.checked_rem(groups) != Some(0) {
        return Err(b.error(format!("{groups} groups do not divide {channels} channels")));
    }
    let shape = b.shape(x).to_vec();
    let mut grouped = shape.clone();
    if let Some(dim) = grouped.get_mut(axis) {
        *dim = channels / groups;
    }
    grouped.insert(axis, groups);
    let wide_x = b.cast(x, wide)?;
    let g = b.reshape(wide_x, grouped)?;
    let axes: Vec<usize> = (1..b.rank(g)).filter(|a| *a != axis).collect();
    let (mean, variance) = b.moments(g, &axes)?;
    let scale = b.with_number(Arithmetic::Add, variance, layer.epsilon.0)?;
    let scale = b.unary(Function::Rsqrt, scale)?;
    let centred = b.sub(g, mean)?;
    let y = b.mul(centred, scale)?;
    let mut y = b.reshape(y, shape)?;
    if layer.scale {
        let gamma = b.weight("gamma")?;
        let gamma = axes::spread(b, gamma, x, &[axis])?;
        y = b.mul(y, gamma)?;
    }
    if layer.center {
        let beta = b.weight("beta")?;
        let beta = axes::spread(b, beta, x, &[axis])?;
        y = b.add(y, beta)?;
    }
    Ok(vec![b.cast(y, compute)?])
}
