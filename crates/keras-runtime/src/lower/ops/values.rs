//! Operations whose results have a shape that depends on the values: `nonzero`, `unique`,
//! `boolean_mask`... Where elements are is found when the graph is built, for which the values must
//! be known: see [`Builder::needed`].

use std::cmp::Ordering;

use keras_model::DType;

use crate::graph::{Builder, Value};
use crate::lower::operation::OpCall;
use crate::ops::size;
use crate::{Result, Tensor};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "Nonzero" => return nonzero(c, b).map(Some),
        // `where` without values is `nonzero`, in TensorFlow as one tensor.
        "Where" if c.operand(b, &["x1"], 1, None)?.is_none() => {
            if b.is_keras3() {
                return nonzero(c, b).map(Some);
            }
            let x = c.x(b)?;
            places(b, x)?
        }
        "BooleanMask" => boolean_mask(c, b)?,
        "Unique" => return unique(c, b).map(Some),
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// The same, a tensor of `int32` for each axis.
fn nonzero(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let x = c.x(b)?;
    let places = places(b, x)?;
    let parts = (0..b.rank(x)).map(|axis| {
        let part = b.at(places, 1, axis)?;
        b.cast(part, DType::Int32)
    });
    parts.collect()
}

/// The places of all elements that are not 0: `int64 [n, rank]`, in order.
fn places(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let x = b.cast(x, DType::Bool)?;
    let held = b.needed(x, "places")?;
    let held = held.as_slice::<bool>().unwrap_or_default();
    let count = held.iter().filter(|v| **v).count();
    b.check_value("places", &[count, shape.len()], DType::Int64)?;
    let mut all = Vec::with_capacity(count.saturating_mul(shape.len()));
    for (at, _) in held.iter().enumerate().filter(|(_, v)| **v) {
        let (start, mut rest) = (all.len(), at);
        for n in shape.iter().rev() {
            all.push((rest % n.max(&1)) as i64);
            rest /= n.max(&1);
        }
        if let Some(place) = all.get_mut(start..) {
            place.reverse();
        }
    }
    Ok(b.constant(Tensor::new([count, shape.len()], all)?))
}

/// What of `x` the mask holds for; its axes stand from `axis` on.
fn boolean_mask(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let mask = c.operand(b, &["mask"], 1, None)?;
    let mask = mask.ok_or_else(|| b.error("has no mask"))?;
    let axis = b.axis(x, c.int("axis", 2).unwrap_or(0))?;
    let (shape, of_mask) = (b.shape(x).to_vec(), b.shape(mask).to_vec());
    let masked = shape.get(axis..axis.saturating_add(of_mask.len()));
    if masked != Some(&of_mask[..]) || of_mask.is_empty() {
        return Err(b.error(format!("a mask of shape {of_mask:?} does not fit {shape:?}")));
    }
    let (outer, inner) = (shape.get(..axis), shape.get(axis + of_mask.len()..));
    let all = size(&of_mask);
    let flat = [outer.unwrap_or_default(), &[all], inner.unwrap_or_default()].concat();
    let x = b.reshape(x, flat)?;
    let mask = b.cast(mask, DType::Bool)?;
    let mask = b.needed(mask, "mask")?;
    let mask = mask.as_slice::<bool>().unwrap_or_default();
    let kept: Vec<usize> = mask.iter().enumerate().filter(|(_, v)| **v).map(|(i, _)| i).collect();
    let kept = b.indices(kept)?;
    b.gather(x, kept, axis)
}

/// The different elements, or slices along an axis, with what else was asked for: where each is
/// first, which one each element is, how often each occurs.
fn unique(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let given = c.x(b)?;
    let shape = b.shape(given).to_vec();
    let of_axis = c.int("axis", usize::MAX).map(|axis| b.axis(given, axis)).transpose()?;
    let axis = of_axis.unwrap_or(0);
    let x = if of_axis.is_some() { given } else { b.reshape(given, [size(&shape)])? };
    let rows = b.move_axis(x, axis, 0)?;
    let n = b.dim(rows, 0)?;
    let width = size(b.shape(rows)).checked_div(n).unwrap_or(0);
    let rows = b.cast(rows, DType::Float64)?;
    let rows = b.needed(rows, "number of different elements")?;
    let rows = rows.as_slice::<f64>().unwrap_or_default();
    let row = |i: usize| rows.get(i * width..(i + 1) * width).unwrap_or_default();
    let order = |i: &usize, j: &usize| {
        let pairs = row(*i).iter().zip(row(*j));
        let different = pairs.map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne());
        different.unwrap_or(Ordering::Equal)
    };
    // Equal rows are neighbours then, the first of them in front.
    let mut sorted: Vec<usize> = (0..n).collect();
    sorted.sort_by(order);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in sorted {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|j| order(&i, j).is_eq()) => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    // TensorFlow's own function keeps the order in which they occur.
    if !b.is_keras3() || c.plain("sorted", usize::MAX) == Some(&false.into()) {
        groups.sort_by_key(|group| group.first().copied());
    }
    let wanted = c.int("size", usize::MAX).and_then(|n| usize::try_from(n).ok());
    if let Some(wanted) = wanted {
        groups.truncate(wanted);
    }
    let firsts: Vec<usize> = groups.iter().filter_map(|g| g.first().copied()).collect();
    let count = firsts.len();
    let places = b.indices(firsts.iter().copied())?;
    let mut values = b.gather(x, places, axis)?;
    let missing = wanted.map_or(0, |wanted| wanted.saturating_sub(count));
    if missing > 0 {
        let mut shape = b.shape(values).to_vec();
        if let Some(length) = shape.get_mut(axis) {
            *length = missing;
        }
        let fill = c.float("fill_value", usize::MAX).unwrap_or(0.0);
        let fill = b.full(shape, fill, b.dtype(x))?;
        values = b.concat(&[values, fill], axis)?;
    }
    let numbers = |b: &mut Builder<'_>, all: Vec<usize>| {
        let all = b.indices(all)?;
        b.cast(all, DType::Int32)
    };
    let mut outputs = vec![values];
    let is = |name: &str| c.flag(name, usize::MAX);
    if is("return_index") {
        outputs.push(numbers(b, firsts)?);
    }
    if is("return_inverse") || !b.is_keras3() {
        let mut which = vec![0; n];
        for (group, members) in groups.iter().enumerate() {
            for i in members {
                if let Some(which) = which.get_mut(*i) {
                    *which = group;
                }
            }
        }
        let which = numbers(b, which)?;
        let flat = [n];
        outputs.push(b.reshape(which, if of_axis.is_some() { &flat[..] } else { &shape })?);
    }
    if is("return_counts") {
        outputs.push(numbers(b, groups.iter().map(Vec::len).collect())?);
    }
    Ok(outputs)
}
