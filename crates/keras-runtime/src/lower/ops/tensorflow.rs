//! Functions of TensorFlow in files of `tf.keras` that `keras.ops` has not. Source: the function of
//! that name in `tensorflow/python/ops`, TensorFlow 2.21.

use keras_model::DType;
use keras_model::layers::spatial::Padding;

use super::decompose::turned;
use super::nn::sizes;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, common};
use crate::lower::{activation, spatial};
use crate::ops::{
    Arithmetic, ConvTranspose, Eigh, Function, PadMode, Relation, StridedSlice, Svd, Window, size,
    strides,
};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "MultiplyNoNan" | "Xdivy" | "Xlogy" | "Xlog1py" => quiet(c, name, b)?,
        "ReciprocalNoNan" => {
            let x = c.x(b)?;
            let one = b.scalar(1.0, b.dtype(x))?;
            b.binary(Arithmetic::DivNoNan, one, x)?
        }
        "Erfcinv" | "Ndtri" => {
            let x = c.x(b)?;
            // erfcinv(x) = erfinv(1 - x), ndtri(x) = √2 erfinv(2x - 1)
            let is_ndtri = name == "Ndtri";
            let x = b.scale(x, if is_ndtri { 2.0 } else { -1.0 })?;
            let x = b.with_number(Arithmetic::Add, x, if is_ndtri { -1.0 } else { 1.0 })?;
            let y = b.unary(Function::Erfinv, x)?;
            b.scale(y, if is_ndtri { std::f64::consts::SQRT_2 } else { 1.0 })?
        }
        "AddN" => {
            let all = common(b, &c.call.tensors())?;
            let (first, rest) = all.split_first().ok_or_else(|| b.error("adds nothing"))?;
            rest.iter().try_fold(*first, |sum, x| b.add(sum, *x))?
        }
        "Crelu" => {
            let x = c.x(b)?;
            let axis = c.axis(b, x, 1, -1)?;
            let minus = b.unary(Function::Neg, x)?;
            let both = b.concat(&[x, minus], axis)?;
            b.unary(Function::RELU, both)?
        }
        "L2Loss" | "ZeroFraction" => {
            let x = c.x(b)?;
            let all: Vec<usize> = (0..b.rank(x)).collect();
            if name == "L2Loss" {
                let squares = b.unary(Function::Square, x)?;
                let sum = b.sum(squares, &all, false)?;
                b.scale(sum, 0.5)?
            } else {
                let zero = b.compare_number(Relation::Equal, x, 0.0)?;
                let zero = b.cast(zero, DType::Float32)?;
                b.mean(zero, &all, false)?
            }
        }
        "L2Normalize" => {
            let x = c.x(b)?;
            let axes = c.axes(b, x, 1)?;
            let least = c.float("epsilon", 2).unwrap_or(1e-12);
            crate::lower::unit_normalization::unit(b, x, &axes, least)?
        }
        "EuclideanNorm" => {
            let x = c.x(b)?;
            let axes = c.axes(b, x, 1)?;
            length(b, x, &axes, c.flag("keepdims", usize::MAX))?
        }
        "ClipByNorm" => {
            let x = c.x(b)?;
            let axes = match c.ints("axes", 2) {
                Some(axes) => b.axes(x, &axes)?,
                None => (0..b.rank(x)).collect(),
            };
            let most = c.float("clip_norm", 1).ok_or_else(|| b.error("has no clip_norm"))?;
            let length = length(b, x, &axes, true)?;
            let length = b.with_number(Arithmetic::Max, length, most)?;
            let x = b.scale(x, most)?;
            b.div(x, length)?
        }
        "SoftmaxCrossEntropy" | "SigmoidCrossEntropy" | "SparseSoftmaxCrossEntropy" => {
            crossentropy(c, name, b)?
        }
        "SegmentMean" | "SegmentSqrtN" => segment_mean(c, name, b)?,
        "BandPart" => band_part(c, b)?,
        "MatrixDiag" => {
            let x = c.x(b)?;
            let n = b.dim(x, -1)?;
            let square = b.table([n, n], b.dtype(x), || {
                (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect()
            })?;
            let wide = b.expand(x, b.rank(x))?;
            b.mul(wide, square)?
        }
        "Svd" => {
            let x = c.x(b)?;
            let vectors = c.plain("compute_uv", 2).and_then(serde_json::Value::as_bool);
            let svd = Svd { full: false, vectors: vectors != Some(false) };
            return match b.ops(svd, &[x])?.as_slice() {
                &[u, s, v] => Ok(Some(vec![s, u, turned(b, v)?])),
                values => Ok(Some(values.to_vec())),
            };
        }
        "Eigvalsh" => {
            let x = c.x(b)?;
            b.op(Eigh, &[x])?
        }
        "ConvTransposeTo" => conv_transpose_to(c, b)?,
        "SpaceToBatch" | "BatchToSpace" => blocks(c, name, b)?,
        "GatherFrom" => gather_from(c, b)?,
        "GatherNd" => gather_nd(c, b)?,
        "StridedSlice" => strided_slice(c, b)?,
        "ReverseSequence" => reverse_sequence(c, b)?,
        "SequenceMask" => {
            let x = c.x(b)?;
            let longest = c.known_lengths(b, "maxlen", 1)?.first().copied();
            // Without one as long as the longest.
            let longest = match longest {
                Some(longest) => longest,
                None => {
                    let lengths = b.cast(x, DType::Int64)?;
                    let lengths = b.needed(lengths, "maxlen")?;
                    let lengths = lengths.as_slice::<i64>().unwrap_or_default();
                    lengths.iter().fold(0, |most, n| most.max(usize::try_from(*n).unwrap_or(0)))
                }
            };
            b.check_value("mask", &[longest], DType::Int64)?;
            let places = b.indices(0..longest)?;
            let lengths = b.expand(x, b.rank(x))?;
            let mask = b.compare(Relation::Less, places, lengths)?;
            b.cast(mask, c.dtype("dtype", 2).unwrap_or(DType::Bool))?
        }
        "Filled" => {
            let shape = c.known_ints(b, "dims", 0)?.unwrap_or_default();
            let shape: Option<Vec<usize>> =
                shape.iter().map(|n| usize::try_from(*n).ok()).collect();
            let shape = shape.ok_or_else(|| b.error("has a negative length"))?;
            let value = c.operand(b, &["value"], 1, None)?;
            let value = value.ok_or_else(|| b.error("has no value"))?;
            let value = b.cast(value, c.dtype("dtype", usize::MAX).unwrap_or(b.dtype(value)))?;
            b.broadcast_to(value, shape)?
        }
        "Eye" => {
            let rows = c.known_lengths(b, "num_rows", 0)?.first().copied().unwrap_or(0);
            let columns = c.known_lengths(b, "num_columns", 1)?.first().copied().unwrap_or(rows);
            let dtype = c.dtype("dtype", usize::MAX).unwrap_or(DType::Float32);
            b.table([rows, columns], dtype, || {
                (0..rows)
                    .flat_map(|i| (0..columns).map(move |j| f64::from(u8::from(i == j))))
                    .collect()
            })?
        }
        "Range" => range(c, b)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// Products and quotients that are 0 where one factor is, whatever the other.
fn quiet(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>) -> Result<Value> {
    let [x, y] = c.pair(b)?;
    let (zero_where, z) = match name {
        "MultiplyNoNan" => (y, b.mul(x, y)?),
        "Xdivy" => (x, b.div(x, y)?),
        _ => {
            let log = if name == "Xlogy" { Function::Log } else { Function::Log1p };
            let log = b.unary(log, y)?;
            (x, b.mul(x, log)?)
        }
    };
    let is_zero = b.compare_number(Relation::Equal, zero_where, 0.0)?;
    let zero = b.scalar(0.0, b.dtype(z))?;
    b.select(is_zero, zero, z)
}

/// The root of the sum of squares.
fn length(b: &mut Builder<'_>, x: Value, axes: &[usize], keepdims: bool) -> Result<Value> {
    let squares = b.unary(Function::Square, x)?;
    let sum = b.sum(squares, axes, keepdims)?;
    b.unary(Function::Sqrt, sum)
}

fn crossentropy(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>) -> Result<Value> {
    let labels = c.x(b)?;
    let logits = c.operand(b, &["logits"], 1, None)?;
    let logits = logits.ok_or_else(|| b.error("has no logits"))?;
    if name == "SigmoidCrossEntropy" {
        // max(x, 0) - x z + log(1 + exp(-|x|))
        let high = b.unary(Function::RELU, logits)?;
        let product = b.mul(logits, labels)?;
        let near = b.unary(Function::Abs, logits)?;
        let near = b.unary(Function::Neg, near)?;
        let near = b.unary(Function::Softplus, near)?;
        let sum = b.sub(high, product)?;
        return b.add(sum, near);
    }
    let axis = c.axis(b, logits, 2, -1)?;
    let total = activation::logsumexp(b, logits, &[axis], true)?;
    let logs = b.sub(logits, total)?;
    let sum = if name == "SparseSoftmaxCrossEntropy" {
        let places = b.expand(labels, axis)?;
        let chosen = b.gather_along(logs, places, axis)?;
        b.at(chosen, axis, 0)?
    } else {
        let product = b.mul(labels, logs)?;
        b.sum(product, &[axis], false)?
    };
    b.unary(Function::Neg, sum)
}

/// The mean of the rows of each segment, or their sum by the root of their number.
fn segment_mean(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let sum = super::scatter::segments(c, "SegmentSum", b, x)?;
    let shape: Vec<usize> =
        b.shape(x).iter().enumerate().map(|(i, n)| if i == 0 { *n } else { 1 }).collect();
    let ones = b.full(shape, 1.0, b.dtype(x))?;
    let count = super::scatter::segments(c, "SegmentSum", b, ones)?;
    let count = b.with_number(Arithmetic::Max, count, 1.0)?;
    let by = if name == "SegmentMean" { count } else { b.unary(Function::Sqrt, count)? };
    b.div(sum, by)
}

/// Zeros outside a band around the diagonal; a negative number keeps the whole triangle.
fn band_part(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let (rows, columns) = (b.dim(x, -2)?, b.dim(x, -1)?);
    let (below, above) = (c.int("num_lower", 1).unwrap_or(-1), c.int("num_upper", 2).unwrap_or(-1));
    let band = b.table([rows, columns], DType::Bool, || {
        let inside = |i: usize, j: usize| {
            let distance = i as i64 - j as i64;
            (below < 0 || distance <= below) && (above < 0 || -distance <= above)
        };
        let row = |i| (0..columns).map(move |j| f64::from(u8::from(inside(i, j))));
        (0..rows).flat_map(row).collect()
    })?;
    let zero = b.scalar(0.0, b.dtype(x))?;
    b.select(band, x, zero)
}

/// The transposed convolution that gives a certain size.
fn conv_transpose_to(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let kernel = c.operand(b, &["kernel"], 1, None)?;
    let kernel = kernel.ok_or_else(|| b.error("has no kernel"))?;
    let rank = b.rank(x).saturating_sub(2);
    let is_first = super::nn::is_first(c);
    let last = rank + 1;
    let x = if is_first { b.move_axis(x, 1, last)? } else { x };
    let shape = c.known_lengths(b, "output_shape", 2)?;
    let from = if is_first { 2 } else { 1 };
    let output = shape.get(from..from + rank).unwrap_or(&shape).to_vec();
    let reach = b.shape(kernel).get(..rank).unwrap_or_default().to_vec();
    let steps = sizes(c, "strides", 3, rank).unwrap_or_else(|| vec![1; rank]);
    let ones = vec![1; rank];
    if output.len() != rank || reach.len() != rank || output.iter().any(|n| *n > spatial::MOST) {
        return Err(b.error(format!("output_shape {shape:?} does not fit")));
    }
    spatial::check(b, [&reach, &steps, &ones])?;
    // The borders that the convolution from that size to the size of `x` has.
    let is_same = super::nn::padding(c, 4) == Padding::Same;
    let lengths = b.shape(x).iter().skip(1).zip(&reach).zip(&steps).zip(&output);
    let cut = lengths.map(|(((n, k), step), to)| {
        let all = (n.saturating_sub(1) * step + k).saturating_sub(*to);
        (if is_same { all / 2 } else { 0 }, 0)
    });
    let window = Window { borders: cut.collect(), size: reach, strides: steps, dilation: ones };
    let y = b.op(ConvTranspose::new(window, output), &[x, kernel])?;
    if is_first { b.move_axis(y, last, 1) } else { Ok(y) }
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

fn range(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let number = |b: &mut Builder<'_>, name: &str, at: usize| -> Result<Option<(f64, DType)>> {
        let Some(value) = c.operand(b, &[name], at, None)? else { return Ok(None) };
        let dtype = b.dtype(value);
        let known = b.needed(value, "range")?.cast(DType::Float64)?;
        let known = known.as_slice::<f64>().and_then(|v| v.first().copied());
        let known = known.ok_or_else(|| b.error(format!("{name} is no number")))?;
        Ok(Some((known, dtype)))
    };
    let (start, limit) = (number(b, "start", 0)?, number(b, "limit", 1)?);
    let (start, limit) = match (start, limit) {
        (Some(start), Some(limit)) => (start, limit),
        (Some((limit, dtype)), None) => ((0.0, dtype), (limit, dtype)),
        _ => return Err(b.error("has no limit")),
    };
    let step = number(b, "delta", 2)?.unwrap_or((1.0, start.1));
    let dtype = [limit.1, step.1].into_iter().fold(start.1, crate::lower::build::promote);
    let dtype = c.dtype("dtype", usize::MAX).unwrap_or(dtype);
    let count = ((limit.0 - start.0) / step.0).ceil().max(0.0);
    if !count.is_finite() || count > u32::MAX.into() {
        return Err(b.error(format!("a range of {count} numbers")));
    }
    let count = count as usize;
    b.table([count], dtype, || (0..count).map(|i| start.0 + i as f64 * step.0).collect())
}
