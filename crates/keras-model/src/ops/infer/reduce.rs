//! Over some axes: sums, means, extremes.

use super::{OpCall, floating, one};
use crate::{DType, Dim, KerasTensor, Result, Shape};

/// Without the axes in `axis` (all of them if there is none), or of length 1 for `keepdims`.
pub(in super::super) fn reduce(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(reduced(op, &x.shape)?, x.dtype))
}

/// The same, never an integer.
pub(in super::super) fn reduce_float(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(reduced(op, &x.shape)?, floating(x.dtype)))
}

/// The same, `bool`.
pub(in super::super) fn reduce_bool(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(reduced(op, &op.x()?.shape)?, DType::Bool))
}

/// The same, `int32`: positions and counts.
pub(in super::super) fn reduce_int(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let dtype = op.dtype("output_type").or(op.dtype("dtype")).unwrap_or(DType::Int32);
    Ok(one(reduced(op, &op.x()?.shape)?, dtype))
}

/// `percentile(x, q)`, `quantile(x, q)`: an axis for the `q`s in front.
pub(in super::super) fn quantile(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    // In the place of the axis stands `q`.
    let mut shape = without(op, &x.shape, op.dims("axis", 2))?;
    let q = match op.call.inputs.named("q", 1) {
        Some(crate::Arg::Tensor(q)) => q.shape.0.clone(),
        Some(crate::Arg::List(items)) => vec![Some(items.len())],
        Some(crate::Arg::Array { value, .. } | crate::Arg::Value(value)) => {
            super::elementwise::constant_shape(value).0
        }
        _ => vec![],
    };
    shape.0.splice(0..0, q);
    Ok(one(shape, floating(x.dtype)))
}

/// `moments(x, axes)`: mean and variance.
pub(in super::super) fn moments(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let shape = without(op, &x.shape, op.ints("axes"))?;
    Ok(vec![KerasTensor::new(shape.clone(), x.dtype), KerasTensor::new(shape, x.dtype)])
}

/// `trapezoid(y, axis)`: without one axis, the last by default.
pub(in super::super) fn reduce_last(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(x.shape.without(op.int("axis").unwrap_or(-1)), floating(x.dtype)))
}

pub(super) fn reduced(op: &OpCall<'_>, shape: &Shape) -> Result<Shape> {
    without(op, shape, op.dims("axis", 1))
}

fn without(op: &OpCall<'_>, shape: &Shape, axes: Option<Vec<i64>>) -> Result<Shape> {
    let keep = op.flag("keepdims");
    let axes = match axes {
        None => (0..shape.rank()).collect(),
        Some(axes) => {
            axes.into_iter().map(|a| op.axis_of(shape, a)).collect::<Result<Vec<usize>>>()?
        }
    };
    let length = |(i, d): (usize, &Dim)| match axes.contains(&i) {
        true if keep => Some(Some(1)),
        true => None,
        false => Some(*d),
    };
    Ok(Shape(shape.dims().iter().enumerate().filter_map(length).collect()))
}
