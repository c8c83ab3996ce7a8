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
use crate::ops::{Arithmetic, ConvTranspose, Eigh, Function, Relation, Svd, Window};

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
        let y = b.add(sum, near)?;
        // The slope where a logit is 0, too.
        return b.with_gradient_of(y, |b| {
            let soft = b.unary(Function::Softplus, logits)?;
            b.sub(soft, product)
        });
    }
    let axis = c.axis(b, logits, 2, -1)?;
    if name == "SoftmaxCrossEntropy" {
        return crate::lower::crossentropy::softmax(b, labels, logits, axis);
    }
    let total = activation::logsumexp(b, logits, &[axis], true)?;
    let logs = b.sub(logits, total)?;
    let places = b.expand(labels, axis)?;
    let chosen = b.gather_along(logs, places, axis)?;
    let chosen = b.at(chosen, axis, 0)?;
    b.unary(Function::Neg, chosen)
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
