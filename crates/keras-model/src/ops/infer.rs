//! Shape inference of operations, rule by rule.

use serde_json::Value;

use super::{Operation, Rule};
use crate::{Arg, Call, DType, Dim, Error, KerasTensor, Result, Shape};

/// The results of one operation; [`Error::NoShape`] where only the file can tell.
pub(super) fn output(op: &Operation, rule: Rule, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
    let one = |shape: Shape, dtype: DType| Ok(vec![KerasTensor::new(shape, dtype)]);
    let unknown = || Error::NoShape { layer: call.base.name.clone(), class: op.operation.clone() };
    if rule == Rule::Declared || call.tensors().is_empty() {
        return Err(unknown());
    }
    let x = call.input()?;
    match rule {
        Rule::Same => one(x.shape.clone(), x.dtype),
        Rule::SameBool => one(x.shape.clone(), DType::Bool),
        Rule::Broadcast => one(broadcast(call)?, x.dtype),
        Rule::BroadcastBool => one(broadcast(call)?, DType::Bool),
        Rule::Reduce => one(reduce(op, call, &x.shape)?, x.dtype),
        Rule::ReduceBool => one(reduce(op, call, &x.shape)?, DType::Bool),
        Rule::Cast => {
            let name = op.argument(call, "dtype", 1).and_then(Value::as_str);
            let dtype =
                name.and_then(DType::from_name).ok_or_else(|| call.error("unknown dtype"))?;
            one(x.shape.clone(), dtype)
        }
        Rule::GetItem => one(get_item(call, &x.shape).ok_or_else(unknown)?, x.dtype),
        Rule::Concatenate => {
            let axis = op.argument(call, "axis", 1).and_then(Value::as_i64).unwrap_or(0);
            let mut sizes = call.tensors().iter().map(|t| t.shape.dim(axis));
            let total = sizes.try_fold(Some(0_usize), |sum, dim| {
                let dim = dim.ok_or_else(|| call.error(format!("no axis {axis}")))?;
                Ok::<Dim, Error>(sum.zip(dim).and_then(|(a, b)| a.checked_add(b)))
            })?;
            one(x.shape.with_dim(axis, total), x.dtype)
        }
        Rule::Transpose => {
            let axes = op.argument(call, "axes", 1).and_then(Value::as_array);
            let dims: Option<Vec<Dim>> = match axes {
                Some(axes) => axes.iter().map(|a| x.shape.dim(a.as_i64()?)).collect(),
                None => Some(x.shape.dims().iter().rev().copied().collect()),
            };
            one(Shape(dims.ok_or_else(|| call.error("axes do not fit the shape"))?), x.dtype)
        }
        Rule::ExpandDims => {
            let axis = op.argument(call, "axis", 1).and_then(Value::as_i64).ok_or_else(unknown)?;
            let mut dims = x.shape.0.clone();
            let rank = dims.len();
            let at = if axis < 0 {
                axis.checked_add(1).and_then(|a| a.checked_add(i64::try_from(rank).ok()?))
            } else {
                Some(axis)
            };
            let at = at.and_then(|a| usize::try_from(a).ok()).filter(|a| *a <= rank);
            dims.insert(at.ok_or_else(|| call.error(format!("no axis {axis}")))?, Some(1));
            one(Shape(dims), x.dtype)
        }
        Rule::Matmul => match call.tensors() {
            [a, b] if a.shape.rank() >= 2 && b.shape.rank() == a.shape.rank() => {
                let width = b.shape.dim(-1).flatten();
                one(a.shape.with_last(width), a.dtype)
            }
            _ => Err(unknown()),
        },
        Rule::Declared => Err(unknown()),
    }
}

/// NumPy's broadcasting over all tensors; plain numbers change nothing.
fn broadcast(call: &Call<'_>) -> Result<Shape> {
    let mut dims: Vec<Dim> = Vec::new();
    if call.inputs.args.iter().any(|a| matches!(a, Arg::Array { .. })) {
        return Err(Error::NoShape {
            layer: call.base.name.clone(),
            class: call.base.class.clone(),
        });
    }
    for tensor in call.tensors() {
        let shape = tensor.shape.dims();
        let mut longer = if shape.len() > dims.len() { shape.to_vec() } else { dims.clone() };
        let shorter = if shape.len() > dims.len() { &dims[..] } else { shape };
        for (long, short) in longer.iter_mut().rev().zip(shorter.iter().rev()) {
            *long = match (*long, *short) {
                (Some(1), other) | (other, Some(1)) => other,
                (Some(a), Some(b)) if a != b => {
                    return Err(call.error(format!("cannot broadcast {a} and {b}")));
                }
                (Some(a), _) | (None, Some(a)) => Some(a),
                (None, None) => None,
            };
        }
        dims = longer;
    }
    Ok(Shape(dims))
}

fn reduce(op: &Operation, call: &Call<'_>, shape: &Shape) -> Result<Shape> {
    let axes: Vec<i64> = match op.argument(call, "axis", 1) {
        Some(Value::Number(n)) => n.as_i64().into_iter().collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_i64).collect(),
        _ => (0..i64::try_from(shape.rank()).unwrap_or(0)).collect(),
    };
    let axes: Option<Vec<usize>> = axes.iter().map(|a| shape.axis(*a)).collect();
    let axes = axes.ok_or_else(|| call.error(format!("an axis is not in shape {shape}")))?;
    let keep = op.argument(call, "keepdims", usize::MAX).and_then(Value::as_bool).unwrap_or(false);
    let dims = shape.dims().iter().enumerate();
    Ok(Shape(
        dims.filter(|(i, _)| keep || !axes.contains(i))
            .map(|(i, d)| if axes.contains(&i) { Some(1) } else { *d })
            .collect(),
    ))
}

/// `x[...]` with numbers, slices, `None` and `...`; `None` for what only values decide.
fn get_item(call: &Call<'_>, shape: &Shape) -> Option<Shape> {
    let key = call.inputs.args.get(1)?;
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
    let (start, stop, step) = (part(0)?, part(1)?, part(2)?.unwrap_or(1));
    let Some(length) = dim else {
        return Some(None);
    };
    let length = i64::try_from(length).ok()?;
    let clamp = |at: i64, low: i64, high: i64| {
        let at = if at < 0 { at.saturating_add(length) } else { at };
        at.clamp(low, high)
    };
    let count = if step > 0 {
        let from = start.map_or(0, |s| clamp(s, 0, length));
        let to = stop.map_or(length, |s| clamp(s, 0, length));
        to.saturating_sub(from).max(0).checked_add(step)?.checked_sub(1)?.checked_div(step)?
    } else {
        let top = length.checked_sub(1)?;
        let from = start.map_or(top, |s| clamp(s, -1, top));
        let to = stop.map_or(-1, |s| clamp(s, -1, top));
        let step = step.checked_neg()?;
        from.saturating_sub(to).max(0).checked_add(step)?.checked_sub(1)?.checked_div(step)?
    };
    Some(usize::try_from(count).ok())
}
