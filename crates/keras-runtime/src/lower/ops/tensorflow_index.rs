//! Functions of TensorFlow that find and move elements, where `keras.ops` has others. Source: the
//! function of that name in `tensorflow/python/ops/array_ops.py`, TensorFlow 2.21.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::OpCall;
use crate::ops::{Arithmetic, PadMode, Relation, StridedSlice, size, strides};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "SpaceToBatch" | "BatchToSpace" => blocks(c, name, b)?,
        "GatherFrom" => gather_from(c, b)?,
        "GatherNd" => gather_nd(c, b)?,
        "StridedSlice" => strided_slice(c, b)?,
        "ReverseSequence" => reverse_sequence(c, b)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// `space_to_batch_nd` and back: every `k`th element along an axis to an image of its own.
fn blocks(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let block = c.known_lengths(b, "block_shape", 1)?;
    let is_apart = name == "SpaceToBatch";
    let borders = c.known_lengths(b, if is_apart { "paddings" } else { "crops" }, 2)?;
    let borders: Vec<(usize, usize)> =
        borders.as_chunks().0.iter().map(|[a, b]| (*a, *b)).collect();
    let rank = block.len();
    if borders.len() != rank || b.rank(x) <= rank || block.contains(&0) {
        return Err(b.error(format!("block_shape {block:?} does not fit {:?}", b.shape(x))));
    }
    let all = size(&block);
    if is_apart {
        let mut wide = vec![(0, 0); b.rank(x)];
        wide.iter_mut().skip(1).zip(&borders).for_each(|(to, border)| *to = *border);
        let x = b.pad(x, &wide, PadMode::Constant(0.0))?;
        let shape = b.shape(x).to_vec();
        let (batch, rest) = (shape.first().copied().unwrap_or(0), shape.get(rank + 1..));
        let mut split = vec![batch];
        let mut out = vec![batch.saturating_mul(all)];
        for (n, k) in shape.iter().skip(1).zip(&block) {
            split.extend([n / k, *k]);
            out.push(n / k);
        }
        split.extend(rest.unwrap_or_default());
        out.extend(rest.unwrap_or_default());
        let x = b.reshape(x, split)?;
        let inner = (0..rank).map(|i| 2 * i + 2);
        let outer = (0..rank).map(|i| 2 * i + 1);
        let axes = inner.chain([0]).chain(outer).chain(2 * rank + 1..b.rank(x));
        let x = b.transpose(x, axes.collect::<Vec<_>>())?;
        return b.reshape(x, out);
    }
    let shape = b.shape(x).to_vec();
    let batch = shape.first().map_or(0, |n| n / all);
    let spatial = shape.get(1..=rank).unwrap_or_default();
    let rest = shape.get(rank + 1..).unwrap_or_default();
    let x = b.reshape(x, [&block[..], &[batch], spatial, rest].concat())?;
    let pairs = (0..rank).flat_map(|i| [rank + 1 + i, i]);
    let axes = [rank].into_iter().chain(pairs).chain(2 * rank + 1..b.rank(x));
    let x = b.transpose(x, axes.collect::<Vec<_>>())?;
    let wide: Vec<usize> = spatial.iter().zip(&block).map(|(n, k)| n.saturating_mul(*k)).collect();
    let mut y = b.reshape(x, [&[batch], &wide[..], rest].concat())?;
    for (i, ((before, after), n)) in borders.into_iter().zip(wide).enumerate() {
        y = b.slice(y, i + 1, before, n.saturating_sub(after).max(before))?;
    }
    Ok(y)
}

/// `tf.gather`: in every row of the first `batch_dims` axes by itself.
fn gather_from(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let places = c.operand(b, &["indices"], 1, None)?;
    let places = places.ok_or_else(|| b.error("has no indices"))?;
    let rank_of_places = b.rank(places);
    let batch = c.int("batch_dims", usize::MAX).unwrap_or(0);
    let batch = if batch < 0 { batch + rank_of_places as i64 } else { batch };
    let batch = usize::try_from(batch).unwrap_or(0).min(rank_of_places).min(b.rank(x));
    let axis = c.int("axis", usize::MAX).unwrap_or(batch as i64);
    let axis = b.axis(x, axis)?;
    if batch == 0 {
        return b.gather(x, places, axis);
    }
    if axis < batch {
        return Err(b.error("gathers along an axis of the batch"));
    }
    // The rows of the batch one behind the other along one axis, the places moved to their row.
    let (shape, at) = (b.shape(x).to_vec(), b.shape(places).to_vec());
    let n = b.dim(x, axis as i64)?;
    let (outer, between) = (shape.get(..batch), shape.get(batch..axis));
    let (outer, between) = (outer.unwrap_or_default(), between.unwrap_or_default());
    let inner = shape.get(axis + 1..).unwrap_or_default();
    let mut x = x;
    if !between.is_empty() {
        let axes = (0..batch).chain([axis]).chain(batch..axis).chain(axis + 1..shape.len());
        x = b.transpose(x, axes.collect::<Vec<_>>())?;
    }
    let rows = size(outer);
    let x = b.reshape(x, [&[rows.saturating_mul(n)], between, inner].concat())?;
    let each = at.get(batch..).unwrap_or_default();
    let flat = b.reshape(places, [rows, size(each)])?;
    let flat = b.cast(flat, DType::Int64)?;
    let start = b.indices((0..rows).map(|row| row * n))?;
    let start = b.expand(start, 1)?;
    let flat = b.add(flat, start)?;
    let y = b.gather(x, flat, 0)?;
    let y = b.reshape(y, [outer, each, between, inner].concat())?;
    let (k, m) = (each.len(), between.len());
    let moved = (0..batch).chain(batch + k..batch + k + m).chain(batch..batch + k);
    let axes: Vec<usize> = moved.chain(batch + k + m..b.rank(y)).collect();
    b.transpose(y, axes)
}

/// `tf.gather_nd`: the places have one number for each of the first axes behind the batch.
fn gather_nd(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let places = c.operand(b, &["indices"], 1, None)?;
    let places = places.ok_or_else(|| b.error("has no indices"))?;
    let batch = c.int("batch_dims", usize::MAX).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let (shape, at) = (b.shape(x).to_vec(), b.shape(places).to_vec());
    let depth = b.dim(places, -1)?;
    let (Some(outer), Some(indexed), Some(rest), Some(each)) = (
        shape.get(..batch),
        shape.get(batch..batch.saturating_add(depth)),
        shape.get(batch.saturating_add(depth)..),
        at.get(batch..at.len().saturating_sub(1)),
    ) else {
        return Err(b.error(format!("indices of shape {at:?} do not fit {shape:?}")));
    };
    let places = b.cast(places, DType::Int64)?;
    let steps = b.indices(strides(indexed))?;
    let flat = b.mul(places, steps)?;
    let last = b.rank(flat).saturating_sub(1);
    let flat = b.sum(flat, &[last], false)?;
    let rows = size(outer);
    let flat = b.reshape(flat, [rows, size(each)])?;
    let start = b.indices((0..rows).map(|row| row * size(indexed)))?;
    let start = b.expand(start, 1)?;
    let flat = b.add(flat, start)?;
    let x = b.reshape(x, [&[rows.saturating_mul(size(indexed))], rest].concat())?;
    let y = b.gather(x, flat, 0)?;
    b.reshape(y, [outer, each, rest].concat())
}

fn strided_slice(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let mut x = c.x(b)?;
    let begin = c.known_ints(b, "begin", 1)?.unwrap_or_default();
    let end = c.known_ints(b, "end", 2)?.unwrap_or_default();
    let step = c.known_ints(b, "strides", 3)?.unwrap_or_else(|| vec![1; begin.len()]);
    for (axis, ((begin, end), step)) in begin.iter().zip(&end).zip(&step).enumerate() {
        let n = b.dim(x, axis as i64)? as i64;
        let Some(by) = usize::try_from(*step).ok().filter(|step| *step > 0) else {
            return Err(b.unsupported("a strided slice that goes back"));
        };
        let place = |i: i64| (if i < 0 { i.saturating_add(n) } else { i }).clamp(0, n) as usize;
        let (begin, end) = (place(*begin), place(*end));
        let mut count = b.shape(x).to_vec();
        let (mut first, mut steps) = (vec![0; count.len()], vec![1; count.len()]);
        let parts = (count.get_mut(axis), first.get_mut(axis), steps.get_mut(axis));
        if let (Some(count), Some(first), Some(steps)) = parts {
            (*count, *first, *steps) = (end.saturating_sub(begin).div_ceil(by), begin, by);
        }
        x = b.op(StridedSlice { begin: first, count, step: steps }, &[x])?;
    }
    Ok(x)
}

/// The first elements of each row, as many as its length says, in reverse order.
fn reverse_sequence(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let lengths = c.operand(b, &["seq_lengths"], 1, None)?;
    let lengths = lengths.ok_or_else(|| b.error("has no seq_lengths"))?;
    let time = c.int("seq_axis", usize::MAX).unwrap_or(0);
    let (time, batch) = (b.axis(x, time)?, c.int("batch_axis", usize::MAX).unwrap_or(0));
    let batch = b.axis(x, batch)?;
    let along = |b: &mut Builder<'_>, v: Value, axis: usize| {
        let mut shape = vec![1; b.rank(x)];
        if let Some(n) = shape.get_mut(axis) {
            *n = size(b.shape(v));
        }
        b.reshape(v, shape)
    };
    let places = b.indices(0..b.dim(x, time as i64)?)?;
    let places = along(b, places, time)?;
    let lengths = b.cast(lengths, DType::Int64)?;
    let lengths = along(b, lengths, batch)?;
    let back = b.sub(lengths, places)?;
    let back = b.with_number(Arithmetic::Sub, back, 1.0)?;
    let is_behind = b.compare_number(Relation::Less, back, 0.0)?;
    let places = b.select(is_behind, places, back)?;
    let shape = b.shape(x).to_vec();
    let places = b.broadcast_to(places, shape)?;
    b.gather_along(x, places, time)
}
