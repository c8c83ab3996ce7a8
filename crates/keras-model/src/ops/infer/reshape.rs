//! The same elements in another shape or order, and several arrays in one.

use serde_json::Value;

use super::super::Rearrangement;
use super::{OpCall, dim, one};
use crate::{Arg, DType, Dim, KerasTensor, Result, Shape};

/// `reshape(x, newshape)`: one length may be -1.
pub(in super::super) fn reshape(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let wanted = op.dims("newshape", 1).ok_or_else(|| op.unknown())?;
    let mut dims: Vec<Dim> = wanted.iter().map(|n| dim(*n)).collect();
    let fixed = dims.iter().flatten().try_fold(1_usize, |n, d| n.checked_mul(*d));
    if let (Some(total), Some(fixed)) = (elements(&x.shape), fixed)
        && let Some(open) = dims.iter_mut().find(|d| d.is_none())
        && fixed > 0
    {
        if total % fixed != 0 {
            return Err(op.error(format!("shape {} does not fit {wanted:?}", x.shape)));
        }
        *open = total.checked_div(fixed);
    }
    Ok(one(Shape(dims), x.dtype))
}

fn elements(shape: &Shape) -> Option<usize> {
    shape.0.iter().try_fold(1_usize, |n, d| n.checked_mul((*d)?))
}

/// `ravel(x)`, and what flattens when it has no axis.
pub(in super::super) fn ravel(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(Shape(vec![elements(&x.shape)]), x.dtype))
}

/// `expand_dims(x, axis)`: an axis of length 1, or several.
pub(in super::super) fn expand_dims(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let axes = op.dims("axis", 1).ok_or_else(|| op.unknown())?;
    let rank = x.shape.rank().saturating_add(axes.len());
    let new = Shape(vec![Some(1); rank]);
    let axes: Vec<usize> = axes.iter().map(|a| op.axis_of(&new, *a)).collect::<Result<_>>()?;
    let mut old = x.shape.0.iter().copied();
    let length = |i: usize| if axes.contains(&i) { Some(1) } else { old.next().flatten() };
    Ok(one(Shape((0..rank).map(length).collect()), x.dtype))
}

/// `squeeze(x, axis)`: without axes of length 1.
pub(in super::super) fn squeeze(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let dims = x.shape.dims();
    let keep: Vec<Dim> = match op.dims("axis", 1) {
        None => dims.iter().copied().filter(|d| *d != Some(1)).collect(),
        Some(axes) => {
            let axes: Vec<usize> =
                axes.iter().map(|a| op.axis_of(&x.shape, *a)).collect::<Result<_>>()?;
            let kept = dims.iter().enumerate().filter(|(i, _)| !axes.contains(i));
            kept.map(|(_, d)| *d).collect()
        }
    };
    Ok(one(Shape(keep), x.dtype))
}

/// `transpose(x, axes)`.
pub(in super::super) fn transpose(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let dims: Option<Vec<Dim>> = match op.dims("axes", 1) {
        Some(axes) => axes.iter().map(|a| x.shape.dim(*a)).collect(),
        None => Some(x.shape.dims().iter().rev().copied().collect()),
    };
    let dims = dims.ok_or_else(|| op.error(format!("axes do not fit shape {}", x.shape)))?;
    Ok(one(Shape(dims), x.dtype))
}

/// `swapaxes(x, axis1, axis2)`.
pub(in super::super) fn swap_axes(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let axis = |name| op.int(name).ok_or_else(|| op.unknown());
    let a = op.axis_of(&x.shape, axis("axis1")?)?;
    let b = op.axis_of(&x.shape, axis("axis2")?)?;
    let mut dims = x.shape.0.clone();
    dims.swap(a, b);
    Ok(one(Shape(dims), x.dtype))
}

/// `moveaxis(x, source, destination)`.
pub(in super::super) fn move_axis(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let axes = |name| -> Result<Vec<usize>> {
        let axes = op.ints(name).ok_or_else(|| op.unknown())?;
        axes.iter().map(|a| op.axis_of(&x.shape, *a)).collect()
    };
    let (from, to) = (axes("source")?, axes("destination")?);
    let mut rest = (0..x.shape.rank()).filter(|a| !from.contains(a));
    let place = |i: usize| match to.iter().position(|t| *t == i) {
        Some(at) => from.get(at).copied(),
        None => rest.next(),
    };
    let order: Option<Vec<usize>> = (0..x.shape.rank()).map(place).collect();
    let dims = order.and_then(|o| o.iter().map(|a| x.shape.0.get(*a).copied()).collect());
    Ok(one(Shape(dims.ok_or_else(|| op.error("axes do not fit"))?), x.dtype))
}

/// `rot90(x, k, axes)`.
pub(in super::super) fn rot90(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let axes = op.ints("axes").unwrap_or_else(|| vec![0, 1]);
    let [a, b] = axes.as_slice() else { return Err(op.error("axes must be two")) };
    let (a, b) = (op.axis_of(&x.shape, *a)?, op.axis_of(&x.shape, *b)?);
    let mut dims = x.shape.0.clone();
    if op.int("k").unwrap_or(1) % 2 != 0 {
        dims.swap(a, b);
    }
    Ok(one(Shape(dims), x.dtype))
}

/// `concatenate(xs, axis)`, `append(x1, x2, axis)`.
pub(in super::super) fn concatenate(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let axis = op.dims("axis", 1).and_then(|a| a.first().copied());
    concatenate_at(op, axis.unwrap_or(0))
}

/// `append(x1, x2, axis)`: flat without an axis.
pub(in super::super) fn append(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let Some(axis) = op.int("axis") else {
        let sizes = op.call.tensors().iter().map(|t| elements(&t.shape));
        let total = sizes.into_iter().try_fold(0_usize, |sum, n| sum.checked_add(n?));
        return Ok(one(Shape(vec![total]), op.x()?.dtype));
    };
    concatenate_at(op, axis)
}

/// `hstack(xs)`.
pub(in super::super) fn hstack(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    concatenate_at(op, i64::from(op.x()?.shape.rank() > 1))
}

/// `vstack(xs)`: vectors become rows.
pub(in super::super) fn vstack(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    if op.x()?.shape.rank() == 1 { stack_at(op, 0) } else { concatenate_at(op, 0) }
}

/// `dstack(xs)`: along the third axis.
pub(in super::super) fn dstack(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    if op.x()?.shape.rank() < 3 { Err(op.unknown()) } else { concatenate_at(op, 2) }
}

fn concatenate_at(op: &OpCall<'_>, axis: i64) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let at = op.axis_of(&x.shape, axis)?;
    let mut total: Dim = Some(0);
    let mut dtype = x.dtype;
    for tensor in op.call.tensors() {
        if tensor.shape.rank() != x.shape.rank() {
            return Err(op.error(format!("cannot join {} and {}", x.shape, tensor.shape)));
        }
        let length = tensor.shape.0.get(at).copied().flatten();
        total = total.zip(length).and_then(|(a, b)| a.checked_add(b));
        dtype = super::promote(dtype, tensor.dtype);
    }
    Ok(one(x.shape.with_dim(axis, total), dtype))
}

/// `stack(xs, axis)`.
pub(in super::super) fn stack(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    stack_at(op, op.dims("axis", 1).and_then(|a| a.first().copied()).unwrap_or(0))
}

fn stack_at(op: &OpCall<'_>, axis: i64) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let new = Shape(vec![None; x.shape.rank().saturating_add(1)]);
    let mut dims = x.shape.0.clone();
    dims.insert(op.axis_of(&new, axis)?, Some(op.call.tensors().len()));
    Ok(one(Shape(dims), x.dtype))
}

/// `unstack(x, num, axis)`: one result for each place on the axis.
pub(in super::super) fn unstack(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let axis = op.int("axis").unwrap_or(0);
    let at = op.axis_of(&x.shape, axis)?;
    let length = op.int("num").and_then(dim).or_else(|| x.shape.0.get(at).copied().flatten());
    let count = length.filter(|n| *n <= MAX_RESULTS).ok_or_else(|| op.unknown())?;
    Ok(vec![KerasTensor::new(x.shape.without(axis), x.dtype); count])
}

/// One operation does not give more results than this.
const MAX_RESULTS: usize = 1 << 16;

/// `split(x, indices_or_sections, axis)`.
pub(in super::super) fn split(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    split_at(op, op.int("axis").unwrap_or(0), false)
}

/// `array_split(x, sections, axis)`: the first parts are longer where it does not divide.
pub(in super::super) fn array_split(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    split_at(op, op.int("axis").unwrap_or(0), true)
}

/// `hsplit(x, sections)`.
pub(in super::super) fn hsplit(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    split_at(op, i64::from(op.x()?.shape.rank() > 1), false)
}

/// `vsplit(x, sections)`.
pub(in super::super) fn vsplit(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    split_at(op, 0, false)
}

/// `dsplit(x, sections)`.
pub(in super::super) fn dsplit(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    split_at(op, 2, false)
}

fn split_at(op: &OpCall<'_>, axis: i64, uneven: bool) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let at = op.axis_of(&x.shape, axis)?;
    let length = x.shape.0.get(at).copied().flatten();
    let result = |n: Dim| KerasTensor::new(x.shape.with_dim(axis, n), x.dtype);
    let sections = op.call.inputs.named("indices_or_sections", 1).and_then(Arg::value);
    let list = op.dims("indices_or_sections", 1).ok_or_else(|| op.unknown())?;
    let is_number = sections.or(op.value("indices_or_sections")).is_some_and(Value::is_number);
    if let ([sections], true) = (list.as_slice(), is_number) {
        let count = dim(*sections).filter(|n| (1..=MAX_RESULTS).contains(n));
        let count = count.ok_or_else(|| op.error(format!("cannot split in {sections}")))?;
        let Some(length) = length else { return Ok(vec![result(None); count]) };
        let rest = length % count;
        if rest != 0 && !uneven {
            return Err(op.error(format!("{length} does not divide into {count}")));
        }
        let part = |i: usize| length.checked_div(count).map(|n| n + usize::from(i < rest));
        return Ok((0..count).map(|i| result(part(i))).collect());
    }
    let mut results = Vec::with_capacity(list.len().saturating_add(1));
    let mut before = Some(0);
    for n in list {
        let to = dim(n);
        results.push(result(to.zip(before).map(|(to, from)| to.saturating_sub(from))));
        before = to;
    }
    results.push(result(length.zip(before).map(|(to, from)| to.saturating_sub(from))));
    Ok(results)
}

/// `repeat(x, repeats, axis)`.
pub(in super::super) fn repeat(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let repeats = op.dims("repeats", 1).ok_or_else(|| op.unknown())?;
    let times = |n: Dim| match repeats.as_slice() {
        [one] => n?.checked_mul(dim(*one)?),
        several => several.iter().try_fold(0_usize, |sum, r| sum.checked_add(dim(*r)?)),
    };
    let Some(axis) = op.int("axis") else {
        return Ok(one(Shape(vec![times(elements(&x.shape))]), x.dtype));
    };
    let at = op.axis_of(&x.shape, axis)?;
    let length = times(x.shape.0.get(at).copied().flatten());
    Ok(one(x.shape.with_dim(axis, length), x.dtype))
}

/// `tile(x, repeats)`: axes in front where there are more repeats than axes.
pub(in super::super) fn tile(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let mut repeats = op.dims("repeats", 1).ok_or_else(|| op.unknown())?;
    let mut dims = x.shape.0.clone();
    while dims.len() < repeats.len() {
        dims.insert(0, Some(1));
    }
    while repeats.len() < dims.len() {
        repeats.insert(0, 1);
    }
    let times = |(d, r): (&Dim, &i64)| (*d)?.checked_mul(dim(*r)?);
    Ok(one(Shape(dims.iter().zip(&repeats).map(times).collect()), x.dtype))
}

/// `pad(x, pad_width)`.
pub(in super::super) fn pad(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let width = op.op.argument(op.call, "pad_width", 1).cloned();
    let width = width.or_else(|| Some(arg_value(op.call.inputs.named("pad_width", 1)?)));
    let widths = width.as_ref().and_then(|w| pairs(w, x.shape.rank()));
    let widths = widths.ok_or_else(|| op.unknown())?;
    let length = |(d, (a, b)): (&Dim, (usize, usize))| (*d)?.checked_add(a)?.checked_add(b);
    Ok(one(Shape(x.shape.0.iter().zip(widths).map(length).collect()), x.dtype))
}

/// An argument without tensors as a plain value.
fn arg_value(arg: &Arg<KerasTensor>) -> Value {
    match arg {
        Arg::Value(value) | Arg::Array { value, .. } => value.clone(),
        Arg::List(items) => items.iter().map(arg_value).collect(),
        _ => Value::Null,
    }
}

/// `[[before, after], ...]`, one pair for all axes, or one number.
fn pairs(width: &Value, rank: usize) -> Option<Vec<(usize, usize)>> {
    let pair = |v: &Value| match super::ints(v)?.as_slice() {
        [one] => Some((dim(*one)?, dim(*one)?)),
        [a, b] => Some((dim(*a)?, dim(*b)?)),
        _ => None,
    };
    match width.as_array() {
        Some(items) if items.iter().all(Value::is_array) => {
            let all: Vec<_> = items.iter().map(pair).collect::<Option<_>>()?;
            let one = all.first().filter(|_| all.len() == 1).copied();
            Some(one.map_or(all, |one| vec![one; rank]))
        }
        _ => Some(vec![pair(width)?; rank]),
    }
}

/// `broadcast_to(x, shape)`.
pub(in super::super) fn broadcast_to(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let shape = op.dims("shape", 1).ok_or_else(|| op.unknown())?;
    Ok(one(Shape(shape.into_iter().map(dim).collect()), op.x()?.dtype))
}

/// `diff(x, n, axis)`.
pub(in super::super) fn diff(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let axis = op.int("axis").unwrap_or(-1);
    let at = op.axis_of(&x.shape, axis)?;
    let n = op.int("n").unwrap_or(1).unsigned_abs();
    let length = x.shape.0.get(at).copied().flatten();
    let shorter = length.map(|d| d.saturating_sub(usize::try_from(n).unwrap_or(usize::MAX)));
    Ok(one(x.shape.with_dim(axis, shorter), x.dtype))
}

/// `full(shape, value)`.
pub(in super::super) fn full(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let shape = op.dims("shape", super::CONFIG).ok_or_else(|| op.unknown())?;
    let shape = Shape(shape.into_iter().map(dim).collect());
    Ok(one(shape, op.dtype("dtype").unwrap_or(DType::Float32)))
}

/// `meshgrid(*xs, indexing)`.
pub(in super::super) fn meshgrid(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let tensors = op.call.tensors();
    let mut dims: Vec<Dim> = tensors.iter().map(|t| elements(&t.shape)).collect();
    if op.text("indexing") != Some("ij") && dims.len() > 1 {
        dims.swap(0, 1);
    }
    Ok(tensors.iter().map(|t| KerasTensor::new(Shape(dims.clone()), t.dtype)).collect())
}

/// `linspace(start, stop, num, axis)` and its like.
pub(in super::super) fn linspace(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let mut dims = super::elementwise::broadcast_shape(op)?.0;
    let num = op.int("num").unwrap_or(50);
    let new = Shape(vec![None; dims.len().saturating_add(1)]);
    dims.insert(op.axis_of(&new, op.int("axis").unwrap_or(0))?, dim(num));
    Ok(one(Shape(dims), op.dtype("dtype").unwrap_or(DType::Float32)))
}

/// `rearrange(tensor, pattern, **axes_lengths)`.
pub(in super::super) fn rearrange(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let inputs = op.call.inputs;
    let pattern = inputs.named("pattern", 1).and_then(Arg::value).and_then(Value::as_str);
    let pattern = pattern.and_then(Rearrangement::parse);
    let pattern = pattern.ok_or_else(|| op.error("has no pattern that fits"))?;
    let given = |name: &str| {
        let length = inputs.named(name, super::CONFIG).and_then(Arg::value)?.as_u64()?;
        usize::try_from(length).ok()
    };
    let split = pattern.split(x.shape.dims(), &given);
    let split = split.ok_or_else(|| op.error(format!("the pattern does not fit {}", x.shape)))?;
    Ok(one(Shape(pattern.join(&split)), x.dtype))
}
