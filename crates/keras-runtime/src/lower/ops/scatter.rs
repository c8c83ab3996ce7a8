//! Elements written to places: `scatter`, `segment_sum`, `bincount`...

use keras_model::{Arg, DType};

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::OpCall;
use crate::ops::{
    Arithmetic, Connective, Function, Reduction, Relation, Scatter, Scattering, size, strides,
};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "Scatter" => {
            let places = given(c, b, &["indices"], 0)?;
            let values = given(c, b, &["values"], 1)?;
            let shape = c.ints("shape", 2).unwrap_or_default();
            let shape: Option<Vec<usize>> =
                shape.iter().map(|n| usize::try_from(*n).ok()).collect();
            let shape = shape.ok_or_else(|| b.unsupported("an unknown shape"))?;
            let zero = b.full(shape, 0.0, b.dtype(values))?;
            write(b, zero, places, values, Scattering::Add)?
        }
        "ScatterUpdate" => {
            let x = c.x(b)?;
            let (places, values) = (given(c, b, &["indices"], 1)?, given(c, b, &["updates"], 2)?);
            let how = match c.text("reduction", 3) {
                None => Scattering::Set,
                Some("add") => Scattering::Add,
                Some("max") => Scattering::Max,
                Some("min") => Scattering::Min,
                Some("mul") => Scattering::Mul,
                Some("sub") => {
                    let values = b.unary(Function::Neg, values)?;
                    return write(b, x, places, values, Scattering::Add).map(|y| Some(vec![y]));
                }
                Some(other) => return Err(b.unsupported(format!("reduction {other:?}"))),
            };
            write(b, x, places, values, how)?
        }
        "SliceUpdate" => {
            let x = c.x(b)?;
            let values = given(c, b, &["updates"], 2)?;
            slice_update(c, b, x, values)?
        }
        "SegmentSum" | "SegmentMax" | "SegmentMin" | "SegmentProd" => {
            let x = c.x(b)?;
            segments(c, name, b, x)?
        }
        "Bincount" => bincount(c, b)?,
        "Histogram" => return histogram(c, b).map(Some),
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

fn given(c: &OpCall<'_>, b: &mut Builder<'_>, names: &[&str], at: usize) -> Result<Value> {
    let name = names.first().copied().unwrap_or_default();
    c.operand(b, names, at, None)?.ok_or_else(|| b.error(format!("has no {name}")))
}

/// `values [.., rest]` at `places [.., k]` of the first `k` axes of `x`.
fn write(
    b: &mut Builder<'_>,
    x: Value,
    places: Value,
    values: Value,
    how: Scattering,
) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let depth = b.dim(places, -1)?;
    let (Some(first), Some(rest)) = (shape.get(..depth), shape.get(depth..)) else {
        return Err(b.error(format!("places have {depth} parts, the shape is {shape:?}")));
    };
    let count: usize = size(b.shape(places)).checked_div(depth).unwrap_or(0);
    let places = b.cast(places, DType::Int64)?;
    let places = b.reshape(places, [count, depth])?;
    // A place beyond one axis must not become one in the next row.
    let lengths = b.indices(first.iter().copied())?;
    let inside = b.compare(Relation::Less, places, lengths)?;
    let high = b.all(inside, &[1], false)?;
    let inside = b.compare_number(Relation::GreaterEqual, places, 0.0)?;
    let low = b.all(inside, &[1], false)?;
    let inside = b.logic(Connective::And, high, low)?;
    let steps = b.indices(strides(first))?;
    let flat = b.mul(places, steps)?;
    let flat = b.sum(flat, &[1], false)?;
    let beyond = b.scalar(size(first) as f64, DType::Int64)?;
    let flat = b.select(inside, flat, beyond)?;
    let values = b.reshape(values, [&[count], rest].concat())?;
    let rows = b.reshape(x, [&[size(first)], rest].concat())?;
    let y = scattered(b, rows, flat, values, how, false)?;
    b.reshape(y, shape)
}

/// The operation, in a type that it computes in.
fn scattered(
    b: &mut Builder<'_>,
    x: Value,
    places: Value,
    values: Value,
    how: Scattering,
    negative_skips: bool,
) -> Result<Value> {
    let dtype = b.dtype(x);
    let computed = match dtype {
        DType::Float32 | DType::Float64 | DType::Int64 => dtype,
        other if other.is_float() => DType::Float32,
        _ => DType::Int64,
    };
    let (x, values) = (b.cast(x, computed)?, b.cast(values, computed)?);
    let y = b.op(Scatter { how, negative_skips }, &[x, places, values])?;
    b.cast(y, dtype)
}

/// `updates` from a start on, which may be known only when the model runs.
fn slice_update(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value, values: Value) -> Result<Value> {
    let (shape, part) = (b.shape(x).to_vec(), b.shape(values).to_vec());
    if shape.len() != part.len() || part.iter().zip(&shape).any(|(n, m)| n > m) {
        return Err(b.error(format!("{part:?} is no part of {shape:?}")));
    }
    let starts = starts(c, b)?;
    let mut places = b.scalar(0.0, DType::Int64)?;
    for (axis, step) in strides(&shape).into_iter().enumerate() {
        let room = shape.get(axis).zip(part.get(axis)).map_or(0, |(n, m)| n - m);
        let start = b.at(starts, 0, axis)?;
        // As in TensorFlow's XLA the part is moved inside.
        let start = b.with_number(Arithmetic::Max, start, 0.0)?;
        let start = b.with_number(Arithmetic::Min, start, room as f64)?;
        let along = b.indices(0..part.get(axis).copied().unwrap_or(0))?;
        let along = b.add(along, start)?;
        let along = b.scale(along, step as f64)?;
        let mut wide = vec![1; shape.len()];
        if let Some(n) = wide.get_mut(axis) {
            *n = part.get(axis).copied().unwrap_or(0);
        }
        let along = b.reshape(along, wide)?;
        places = b.add(places, along)?;
    }
    let (places, values) = (b.reshape(places, [size(&part)])?, b.reshape(values, [size(&part)])?);
    let flat = b.reshape(x, [size(&shape)])?;
    let y = scattered(b, flat, places, values, Scattering::Set, false)?;
    b.reshape(y, shape)
}

/// The start indices as one tensor: they may be a list of numbers and tensors.
pub(super) fn starts(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    if let Some(Arg::List(items)) = c.call.inputs.named("start_indices", 1) {
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            let part = match item {
                Arg::Tensor(value) => *value,
                other => {
                    let number = other.value().and_then(serde_json::Value::as_f64);
                    let number = number.ok_or_else(|| b.error("a start that is no number"))?;
                    b.scalar(number, DType::Int64)?
                }
            };
            let part = b.cast(part, DType::Int64)?;
            parts.push(b.reshape(part, [1])?);
        }
        return b.concat(&parts, 0);
    }
    let starts = given(c, b, &["start_indices"], 1)?;
    let starts = b.cast(starts, DType::Int64)?;
    let count = size(b.shape(starts));
    b.reshape(starts, [count])
}

pub(super) fn segments(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let ids = given(c, b, &["segment_ids"], 1)?;
    let ids = b.cast(ids, DType::Int64)?;
    let count = c.int("num_segments", 2).and_then(|n| usize::try_from(n).ok());
    // Of sorted ones without a number, empty ones are 0 instead of the type's extreme.
    let empty_is_zero = count.is_none() && c.flag("sorted", usize::MAX);
    let count = count.map_or_else(|| most_and_one(b, ids, "number of segments"), Ok)?;
    let dtype = b.dtype(x);
    let most = if dtype == DType::Float64 { f64::MAX } else { f64::from(f32::MAX) };
    let (most, least) = match dtype {
        float if float.is_float() => (most, -most),
        DType::Int64 => (i64::MAX as f64, i64::MIN as f64),
        _ => (f64::from(i32::MAX), f64::from(i32::MIN)),
    };
    let (start, how) = match name {
        "SegmentMax" => (least, Scattering::Max),
        "SegmentMin" => (most, Scattering::Min),
        "SegmentProd" => (1.0, Scattering::Mul),
        _ => (0.0, Scattering::Add),
    };
    let mut shape = b.shape(x).to_vec();
    if let Some(first) = shape.first_mut() {
        *first = count;
    }
    let start = b.full(shape, start, dtype)?;
    let y = scattered(b, start, ids, x, how, true)?;
    if !empty_is_zero || !matches!(how, Scattering::Max | Scattering::Min) {
        return Ok(y);
    }
    let is_empty = b.compare(Relation::Equal, y, start)?;
    let zero = b.scalar(0.0, dtype)?;
    b.select(is_empty, zero, y)
}

/// How many numbers there are from 0 to the largest.
fn most_and_one(b: &mut Builder<'_>, x: Value, what: &str) -> Result<usize> {
    let numbers = b.cast(x, DType::Int64)?;
    let numbers = b.needed(numbers, what)?;
    let most = numbers.as_slice::<i64>().unwrap_or_default().iter().max().copied().unwrap_or(-1);
    let count = usize::try_from(most.saturating_add(1)).unwrap_or(0);
    b.check_value(what, &[count], DType::Int64)?;
    Ok(count)
}

/// How often each number occurs: up to the largest, at least as many as `minlength` says.
fn bincount(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let least = c.int("minlength", 2).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let length = most_and_one(b, x, "length")?.max(least);
    let shape = b.shape(x).to_vec();
    let last = shape.last().copied().unwrap_or(1);
    let rows = size(&shape).checked_div(last).unwrap_or(0);
    let weights = c.operand(b, &["weights"], 1, None)?;
    let dtype = weights.map_or(DType::Int32, |w| b.dtype(w));
    let x = b.cast(x, DType::Int64)?;
    let x = b.reshape(x, [rows, last])?;
    let offset = b.indices((0..rows).map(|row| row * length))?;
    let offset = b.reshape(offset, [rows, 1])?;
    let places = b.add(x, offset)?;
    let places = b.reshape(places, [rows * last])?;
    let values = match weights {
        Some(weights) => {
            let weights = b.broadcast_to(weights, shape.clone())?;
            b.reshape(weights, [rows * last])?
        }
        None => b.full([rows * last], 1.0, dtype)?,
    };
    let zero = b.full([rows * length], 0.0, dtype)?;
    let counts = scattered(b, zero, places, values, Scattering::Add, false)?;
    let outer = shape.get(..shape.len().saturating_sub(1)).unwrap_or_default();
    b.reshape(counts, [outer, &[length]].concat())
}

/// How many numbers lie between equidistant edges, and these edges.
fn histogram(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let x = c.x(b)?;
    let count = size(b.shape(x));
    let x = b.reshape(x, [count])?;
    let dtype = b.dtype(x);
    let bins = c.int("bins", 1).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let bins = bins.ok_or_else(|| b.error("has no bins"))?;
    let range = c.plain("range", 2).and_then(crate::lower::rescaling::nested);
    let (low, high) = match range.as_ref().map(|(_, ends)| ends.as_slice()) {
        Some(&[low, high]) => (b.scalar(low, dtype)?, b.scalar(high, dtype)?),
        _ => (b.reduce(Reduction::Min, x, &[0], false)?, b.reduce(Reduction::Max, x, &[0], false)?),
    };
    let width = b.sub(high, low)?;
    let shares = (0..=bins).map(|i| i as f64 / bins as f64);
    let shares = b.table([bins.saturating_add(1)], dtype, || shares.collect())?;
    let edges = b.mul(shares, width)?;
    let edges = b.add(edges, low)?;
    let inner = b.slice(edges, 0, 1, bins)?;
    let wide = b.expand(x, 1)?;
    let passed = b.compare(Relation::GreaterEqual, wide, inner)?;
    let passed = b.cast(passed, DType::Int64)?;
    let place = b.sum(passed, &[1], false)?;
    let inside = {
        let above = b.compare(Relation::GreaterEqual, x, low)?;
        let below = b.compare(Relation::LessEqual, x, high)?;
        b.logic(Connective::And, above, below)?
    };
    let skipped = b.scalar(-1.0, DType::Int64)?;
    let place = b.select(inside, place, skipped)?;
    let ones = b.full([count], 1.0, dtype)?;
    let zero = b.full([bins], 0.0, dtype)?;
    let counts = scattered(b, zero, place, ones, Scattering::Add, true)?;
    Ok(vec![counts, edges])
}
