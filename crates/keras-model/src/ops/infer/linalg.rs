//! Products and decompositions: `keras/src/ops/linalg.py`, and what is of this kind in `numpy.py`.

use super::elementwise::broadcast_two;
use super::{OpCall, dim, floating, one, promote};
use crate::{Call, DType, Dim, KerasTensor, Result, Shape};

fn both(op: &OpCall<'_>) -> Result<(Shape, Shape, DType)> {
    let (a, b) = (op.x()?, op.tensor(1)?);
    Ok((a.shape.clone(), b.shape.clone(), promote(a.dtype, b.dtype)))
}

/// All axes but the last `n`, and these.
fn parts(shape: &Shape, n: usize) -> Option<(Shape, &[Dim])> {
    let (outer, inner) = shape.0.split_at_checked(shape.rank().checked_sub(n)?)?;
    Some((Shape(outer.to_vec()), inner))
}

fn joined(mut outer: Shape, inner: impl IntoIterator<Item = Dim>) -> Shape {
    outer.0.extend(inner);
    outer
}

/// `matmul(a, b)`: over the last two axes, those before broadcast. TensorFlow may transpose.
pub(in super::super) fn matmul(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (mut a, mut b, dtype) = both(op)?;
    for (shape, flag) in [(&mut a, "transpose_a"), (&mut b, "transpose_b")] {
        let rank = shape.rank();
        if op.flag(flag) && rank >= 2 {
            shape.0.swap(rank - 1, rank - 2);
        }
    }
    let wrong = || op.error(format!("cannot multiply {a} and {b}"));
    let (outer_a, rows) = match a.0.as_slice() {
        [_] => (Shape::default(), None),
        _ => parts(&a, 2).map(|(o, i)| (o, i.first().copied())).ok_or_else(wrong)?,
    };
    let (outer_b, columns) = match b.0.as_slice() {
        [_] => (Shape::default(), None),
        _ => parts(&b, 2).map(|(o, i)| (o, i.last().copied())).ok_or_else(wrong)?,
    };
    let outer = broadcast_two(&outer_a, &outer_b).ok_or_else(wrong)?;
    Ok(one(joined(outer, rows.into_iter().chain(columns)), dtype))
}

/// `dot(a, b)`: the last axis of `a` with the last but one of `b`.
pub(in super::super) fn dot(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    if a.rank() == 0 || b.rank() == 0 {
        let larger = if a.rank() == 0 { b } else { a };
        return Ok(one(larger, dtype));
    }
    let contracted = if b.rank() == 1 { -1 } else { -2 };
    Ok(one(joined(a.without(-1), b.without(contracted).0), dtype))
}

/// `inner(a, b)`: over the last axis of both.
pub(in super::super) fn inner(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    Ok(one(joined(a.without(-1), b.without(-1).0), dtype))
}

/// `outer(a, b)`: both flat.
pub(in super::super) fn outer(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    let elements = |s: &Shape| s.0.iter().try_fold(1_usize, |n, d| n.checked_mul((*d)?));
    Ok(one(Shape(vec![elements(&a), elements(&b)]), dtype))
}

/// A single number from one or two arrays.
pub(in super::super) fn scalar(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let dtypes = op.call.tensors().iter().map(|t| t.dtype);
    Ok(one(Shape::default(), dtypes.reduce(promote).unwrap_or(DType::Float32)))
}

/// Whether two arrays agree.
pub(in super::super) fn scalar_bool(_: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(Shape::default(), DType::Bool))
}

/// `tensordot(a, b, axes)`.
pub(in super::super) fn tensordot(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    let list = op.value("axes").and_then(|v| v.as_array());
    let axes = |n: usize| list.and_then(|l| super::ints(l.get(n)?));
    let (of_a, of_b): (Vec<i64>, Vec<i64>) =
        if let (Some(_), Some(a), Some(b)) = (list, axes(0), axes(1)) {
            (a, b)
        } else {
            let n = op.int("axes").unwrap_or(2);
            let most = a.rank().min(b.rank());
            if dim(n).is_none_or(|n| n > most) {
                return Err(op.error(format!("{n} axes of {a} and {b}")));
            }
            ((0..n).map(|i| i - n).collect(), (0..n).collect())
        };
    let rest = |shape: &Shape, axes: &[i64]| -> Result<Vec<Dim>> {
        let axes: Vec<usize> = axes.iter().map(|x| op.axis_of(shape, *x)).collect::<Result<_>>()?;
        let kept = shape.0.iter().enumerate().filter(|(i, _)| !axes.contains(i));
        Ok(kept.map(|(_, d)| *d).collect())
    };
    Ok(one(joined(Shape(rest(&a, &of_a)?), rest(&b, &of_b)?), dtype))
}

/// `einsum(subscripts, *operands)`.
pub(in super::super) fn einsum(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let of_call = op.call.inputs.args.first().and_then(|a| a.value()?.as_str());
    let subscripts = op.text("subscripts").or_else(|| op.text("equation")).or(of_call);
    let subscripts = subscripts.ok_or_else(|| op.unknown())?.replace(' ', "");
    let shapes: Vec<&Shape> = op.call.tensors().iter().map(|t| &t.shape).collect();
    let shape = einsum_shape(op.call, &subscripts, &shapes)?;
    let dtypes = op.call.tensors().iter().map(|t| t.dtype);
    Ok(one(shape, dtypes.reduce(promote).unwrap_or(DType::Float32)))
}

/// The shape of `einsum`; axes under an ellipsis broadcast.
fn einsum_shape(call: &Call<'_>, subscripts: &str, shapes: &[&Shape]) -> Result<Shape> {
    let wrong = || call.error(format!("{subscripts:?} does not fit the operands"));
    let (inputs, output) = match subscripts.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output.to_owned())),
        None => (subscripts, None),
    };
    let mut lengths = std::collections::BTreeMap::new();
    let mut free = Shape::default();
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != shapes.len() {
        return Err(wrong());
    }
    for (term, shape) in terms.iter().zip(shapes) {
        let (before, after) = term.split_once("...").unwrap_or((term, ""));
        let named = before.chars().count() + after.chars().count();
        let hidden = shape.rank().checked_sub(named).ok_or_else(wrong)?;
        if hidden > 0 && !term.contains("...") {
            return Err(wrong());
        }
        let dims = shape.0.iter().copied();
        let start = before.chars().count();
        let hidden_dims = dims.clone().skip(start).take(hidden).collect();
        free = broadcast_two(&free, &Shape(hidden_dims)).ok_or_else(wrong)?;
        let letters = before.chars().zip(dims.clone());
        for (letter, dim) in letters.chain(after.chars().zip(dims.skip(start + hidden))) {
            let known = lengths.entry(letter).or_insert(dim);
            if known.is_none() || *known == Some(1) {
                *known = dim;
            }
        }
    }
    // Without an output: the letters that occur once, in order.
    let output = output.unwrap_or_else(|| {
        let once = lengths.keys().filter(|l| inputs.matches(**l).count() == 1);
        let dots = if inputs.contains("...") { "..." } else { "" };
        dots.chars().chain(once.copied()).collect()
    });
    let (before, after) = if let Some((before, after)) = output.split_once("...") {
        (before, after)
    } else {
        free = Shape::default();
        (output.as_str(), "")
    };
    let length = |letter: char| lengths.get(&letter).copied().ok_or_else(wrong);
    let mut dims: Vec<Dim> = before.chars().map(length).collect::<Result<_>>()?;
    dims.append(&mut free.0);
    dims.extend(after.chars().map(length).collect::<Result<Vec<Dim>>>()?);
    Ok(Shape(dims))
}

/// `kron(a, b)`: lengths multiply.
pub(in super::super) fn kron(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    if a.rank() != b.rank() {
        return Err(op.unknown());
    }
    let product = |(a, b): (&Dim, &Dim)| (*a)?.checked_mul((*b)?);
    Ok(one(Shape(a.0.iter().zip(&b.0).map(product).collect()), dtype))
}

/// `cross(a, b)` of vectors with three parts.
pub(in super::super) fn cross(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    if a.dim(-1) != Some(Some(3)) && b.dim(-1) != Some(Some(3)) {
        return Err(op.unknown());
    }
    let shape = broadcast_two(&a.without(-1), &b.without(-1)).ok_or_else(|| op.unknown())?;
    Ok(one(joined(shape, [Some(3)]), dtype))
}

/// `norm(x, ord, axis, keepdims)`.
pub(in super::super) fn norm(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(super::reduce::reduced(op, &x.shape)?, floating(x.dtype)))
}

/// One number for each matrix: `det`, `logdet`, `matrix_rank`.
pub(in super::super) fn per_matrix(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let (outer, _) = parts(&x.shape, 2).ok_or_else(|| op.error("expected matrices"))?;
    let dtype = if op.op.operation == "MatrixRank" { DType::Int32 } else { floating(x.dtype) };
    Ok(one(outer, dtype))
}

/// `slogdet(x)`: sign and logarithm.
pub(in super::super) fn slogdet(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let one = per_matrix(op)?;
    Ok(one.iter().chain(&one).cloned().collect())
}

/// `eig(x)`, `eigh(x)`: values and vectors.
pub(in super::super) fn eigen(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let dtype = floating(x.dtype);
    Ok(vec![KerasTensor::new(x.shape.without(-1), dtype), KerasTensor::new(x.shape.clone(), dtype)])
}

/// `lu_factor(x)`: both factors in one matrix, and the pivots.
pub(in super::super) fn lu_factor(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let (outer, inner) = parts(&x.shape, 2).ok_or_else(|| op.error("expected matrices"))?;
    let k = shorter(inner);
    let pivots = KerasTensor::new(joined(outer, [k]), DType::Int32);
    Ok(vec![KerasTensor::new(x.shape.clone(), floating(x.dtype)), pivots])
}

fn shorter(matrix: &[Dim]) -> Dim {
    matrix.iter().copied().reduce(|a, b| a.zip(b).map(|(a, b)| a.min(b))).flatten()
}

/// `qr(x, mode)`.
pub(in super::super) fn qr(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let dtype = floating(x.dtype);
    let (outer, inner) = parts(&x.shape, 2).ok_or_else(|| op.error("expected matrices"))?;
    let [m, n] = inner else { return Err(op.unknown()) };
    let k = if op.text("mode") == Some("complete") { *m } else { shorter(inner) };
    Ok(vec![
        KerasTensor::new(joined(outer.clone(), [*m, k]), dtype),
        KerasTensor::new(joined(outer, [k, *n]), dtype),
    ])
}

/// `svd(x, full_matrices, compute_uv)`.
pub(in super::super) fn svd(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let dtype = floating(x.dtype);
    let (outer, inner) = parts(&x.shape, 2).ok_or_else(|| op.error("expected matrices"))?;
    let [m, n] = inner else { return Err(op.unknown()) };
    let k = shorter(inner);
    let values = KerasTensor::new(joined(outer.clone(), [k]), dtype);
    let is = |name, default: bool| {
        op.value(name).and_then(serde_json::Value::as_bool).unwrap_or(default)
    };
    if !is("compute_uv", true) {
        return Ok(vec![values]);
    }
    let (rows, columns) = if is("full_matrices", true) { (*m, *n) } else { (k, k) };
    Ok(vec![
        KerasTensor::new(joined(outer.clone(), [*m, rows]), dtype),
        values,
        KerasTensor::new(joined(outer, [columns, *n]), dtype),
    ])
}

/// `solve(a, b)` and its like: the shape of `b`.
pub(in super::super) fn solve(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let b = op.tensor(1)?;
    Ok(one(b.shape.clone(), floating(b.dtype)))
}

/// `lstsq(a, b)`: `[N]` or `[N, K]`.
pub(in super::super) fn lstsq(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    let n = a.dim(-1).ok_or_else(|| op.unknown())?;
    Ok(one(b.with_dim(0, n), dtype))
}

/// `pinv(x)`: the last two axes change places.
pub(in super::super) fn pinv(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let mut dims = x.shape.0.clone();
    let rank = dims.len();
    if rank < 2 {
        return Err(op.error("expected matrices"));
    }
    dims.swap(rank - 1, rank - 2);
    Ok(one(Shape(dims), floating(x.dtype)))
}

/// `diag(x, k)`: a matrix from a vector, a vector from a matrix.
pub(in super::super) fn diag(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let k = op.int("k").unwrap_or(0);
    let offset = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
    let shape = match x.shape.0.as_slice() {
        [n] => {
            let side = n.and_then(|n| n.checked_add(offset));
            Shape(vec![side, side])
        }
        [m, n] => Shape(vec![diagonal_length(*m, *n, k)]),
        _ => return Err(op.error("expected a vector or a matrix")),
    };
    Ok(one(shape, x.dtype))
}

/// `diagflat(x, k)`.
pub(in super::super) fn diagflat(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let k = op.int("k").unwrap_or(0).unsigned_abs();
    let elements = x.shape.0.iter().try_fold(1_usize, |n, d| n.checked_mul((*d)?));
    let side = elements.and_then(|n| n.checked_add(usize::try_from(k).ok()?));
    Ok(one(Shape(vec![side, side]), x.dtype))
}

fn diagonal_length(m: Dim, n: Dim, offset: i64) -> Dim {
    let skip = usize::try_from(offset.unsigned_abs()).ok()?;
    let (m, n) =
        if offset >= 0 { (m?, n?.saturating_sub(skip)) } else { (m?.saturating_sub(skip), n?) };
    Some(m.min(n))
}

/// `diagonal(x, offset, axis1, axis2)`: in the last axis.
pub(in super::super) fn diagonal(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (shape, length, dtype) = two_axes(op)?;
    Ok(one(joined(shape, [length]), dtype))
}

/// `trace(x, offset, axis1, axis2)`.
pub(in super::super) fn trace(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (shape, _, dtype) = two_axes(op)?;
    Ok(one(shape, dtype))
}

fn two_axes(op: &OpCall<'_>) -> Result<(Shape, Dim, DType)> {
    let x = op.x()?;
    let a = op.axis_of(&x.shape, op.int("axis1").unwrap_or(0))?;
    let b = op.axis_of(&x.shape, op.int("axis2").unwrap_or(1))?;
    let dim_of = |axis: usize| x.shape.0.get(axis).copied().flatten();
    let length = diagonal_length(dim_of(a), dim_of(b), op.int("offset").unwrap_or(0));
    let kept = x.shape.0.iter().enumerate().filter(|(i, _)| *i != a && *i != b);
    Ok((Shape(kept.map(|(_, d)| *d).collect()), length, x.dtype))
}

/// `vander(x, N)`.
pub(in super::super) fn vander(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let n = x.shape.dim(0).flatten();
    Ok(one(Shape(vec![n, op.int("N").map_or(n, dim)]), x.dtype))
}

/// `corrcoef(x)`: rows by rows.
pub(in super::super) fn corrcoef(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let shape = match x.shape.0.as_slice() {
        [n, _] => Shape(vec![*n, *n]),
        _ => Shape::default(),
    };
    Ok(one(shape, floating(x.dtype)))
}

/// `cdist(x, y)`: a distance for each pair of rows.
pub(in super::super) fn cdist(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (a, b, dtype) = both(op)?;
    let rows = b.dim(-2).ok_or_else(|| op.unknown())?;
    Ok(one(a.with_last(rows), dtype))
}
