//! Elements by their places: slices, gathers, positions.

use serde_json::Value;

use super::elementwise::constant_shape;
use super::{OpCall, dim, one};
use crate::{Arg, DType, Dim, KerasTensor, Result, Shape};

/// `x[key]`.
pub(in super::super) fn get_item(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(indexed(op, &x.shape).ok_or_else(|| op.unknown())?, x.dtype))
}

/// `take(x, indices, axis)`: the shape of the indices in the place of the axis.
pub(in super::super) fn take(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let indices = match op.call.inputs.named("indices", 1) {
        Some(Arg::Tensor(indices)) => indices.shape.clone(),
        Some(Arg::Array { value, .. } | Arg::Value(value)) => constant_shape(value),
        Some(Arg::List(items)) => Shape(vec![Some(items.len())]),
        _ => return Err(op.unknown()),
    };
    let Some(axis) = op.int("axis") else { return Ok(one(indices, x.dtype)) };
    let at = op.axis_of(&x.shape, axis)?;
    let mut dims = x.shape.0.clone();
    dims.splice(at..=at, indices.0);
    Ok(one(Shape(dims), x.dtype))
}

/// `take_along_axis(x, indices, axis)`.
pub(in super::super) fn take_along_axis(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (x, indices) = (op.x()?, op.tensor(1)?);
    Ok(one(indices.shape.clone(), x.dtype))
}

/// `slice(x, start, shape)`.
pub(in super::super) fn slice(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let sizes = op.dims("shape", super::CONFIG).ok_or_else(|| op.unknown())?;
    Ok(one(Shape(sizes.into_iter().map(dim).collect()), op.x()?.dtype))
}

/// `scatter(indices, values, shape)`.
pub(in super::super) fn scatter(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let sizes = op.dims("shape", super::CONFIG).ok_or_else(|| op.unknown())?;
    Ok(one(Shape(sizes.into_iter().map(dim).collect()), op.tensor(1)?.dtype))
}

/// `top_k(x, k)`: values and places.
pub(in super::super) fn top_k(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let k = op.dims("k", 1).and_then(|k| k.first().copied()).ok_or_else(|| op.unknown())?;
    let shape = x.shape.with_last(dim(k));
    Ok(vec![KerasTensor::new(shape.clone(), x.dtype), KerasTensor::new(shape, DType::Int32)])
}

/// `in_top_k(targets, predictions, k)`.
pub(in super::super) fn in_top_k(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(op.x()?.shape.clone(), DType::Bool))
}

/// `one_hot(x, num_classes, axis)`: a new axis.
pub(in super::super) fn one_hot(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let classes = op.dims("num_classes", 1).and_then(|k| k.first().copied());
    let classes = classes.ok_or_else(|| op.unknown())?;
    let mut dims = op.x()?.shape.0.clone();
    let at = op.int("axis").filter(|a| *a >= 0).and_then(|a| usize::try_from(a).ok());
    dims.insert(at.unwrap_or(dims.len()).min(dims.len()), dim(classes));
    Ok(one(Shape(dims), op.dtype("dtype").unwrap_or(DType::Float32)))
}

/// `multi_hot(x, num_classes)`: the last axis becomes one of classes.
pub(in super::super) fn multi_hot(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let classes = op.dims("num_classes", 1).and_then(|k| k.first().copied());
    let x = op.x()?;
    let mut dims = x.shape.0.clone();
    if dims.len() > 1 {
        dims.pop();
    }
    dims.push(classes.and_then(dim));
    Ok(one(Shape(dims), op.dtype("dtype").unwrap_or(DType::Float32)))
}

/// `segment_sum(data, ids, num_segments)`.
pub(in super::super) fn segment(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(x.shape.with_dim(0, op.int("num_segments").and_then(dim)), x.dtype))
}

/// `bincount(x, weights, minlength)`: as long as the largest value.
pub(in super::super) fn bincount(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let shape = if x.shape.rank() > 1 { x.shape.with_last(None) } else { Shape(vec![None]) };
    Ok(one(shape, DType::Int32))
}

/// `search_sorted(sequence, values)`, `digitize(x, bins)`: a place for each value.
pub(in super::super) fn search_sorted(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(op.tensor(1)?.shape.clone(), DType::Int32))
}

/// `shape(x)` of TensorFlow.
pub(in super::super) fn shape(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let rank = op.x()?.shape.rank();
    Ok(one(Shape(vec![Some(rank)]), DType::Int32))
}

/// `ndim(x)`, `size(x)`.
pub(in super::super) fn scalar_int(_: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(Shape::default(), DType::Int32))
}

/// `x[...]` with numbers, slices, `None` and `...`; `None` for what only values decide.
fn indexed(op: &OpCall<'_>, shape: &Shape) -> Option<Shape> {
    let key = op.call.inputs.named("key", 1)?;
    let keys = match key {
        Arg::List(items) => items.clone(),
        Arg::Value(Value::Array(items)) => items.iter().cloned().map(Arg::Value).collect(),
        other => vec![other.clone()],
    };
    let consumed = keys.iter().filter(|k| !is_new_axis(k) && !matches!(k, Arg::Ellipsis)).count();
    let mut dims = shape.dims().iter().copied();
    let mut out = Vec::new();
    for key in &keys {
        match key {
            key if is_new_axis(key) => out.push(Some(1)),
            Arg::Ellipsis => {
                let skipped = shape.rank().checked_sub(consumed)?;
                out.extend(dims.by_ref().take(skipped));
            }
            Arg::Value(Value::Number(_)) => {
                dims.next()?;
            }
            Arg::Slice(parts) => out.push(slice_length(parts, dims.next()?)?),
            _ => return None,
        }
    }
    out.extend(dims);
    Some(Shape(out))
}

fn is_new_axis(key: &Arg<KerasTensor>) -> bool {
    matches!(key, Arg::Value(Value::Null))
}

/// The length of `range(*slice.indices(length))`; the outer `None` where a part is a tensor.
fn slice_length(parts: &[Box<Arg<KerasTensor>>; 3], dim: Dim) -> Option<Dim> {
    let part = |i: usize| match parts.get(i).map(AsRef::as_ref) {
        Some(Arg::Value(Value::Null)) => Some(None),
        Some(Arg::Value(v)) => v.as_i64().map(Some),
        _ => None,
    };
    let (start, end, step) = (part(0)?, part(1)?, part(2)?.unwrap_or(1));
    let Some(length) = dim else {
        return Some(None);
    };
    let length = i64::try_from(length).ok()?;
    let within = |at: i64, low: i64, high: i64| {
        let at = if at < 0 { at.saturating_add(length) } else { at };
        at.clamp(low, high)
    };
    let count = if step > 0 {
        let from = start.map_or(0, |s| within(s, 0, length));
        let to = end.map_or(length, |s| within(s, 0, length));
        to.saturating_sub(from).max(0).checked_add(step)?.checked_sub(1)?.checked_div(step)?
    } else {
        let top = length.checked_sub(1)?;
        let from = start.map_or(top, |s| within(s, -1, top));
        let to = end.map_or(-1, |s| within(s, -1, top));
        let step = step.checked_neg()?;
        from.saturating_sub(to).max(0).checked_add(step)?.checked_sub(1)?.checked_div(step)?
    };
    Some(usize::try_from(count).ok())
}
