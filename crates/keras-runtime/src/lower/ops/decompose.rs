//! Equations, decompositions and norms of matrices. Source: `keras/src/ops/linalg.py`, and
//! `keras/src/backend/tensorflow/linalg.py` for limits, Keras 3.15.

use keras_model::DType;
use serde_json::Value as Json;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, to_float};
use crate::ops::{
    Arithmetic, Cholesky, Determinant, Eigh, Function, LuFactor, Qr, Reduction, Relation, Solve,
    SolveTriangular, Svd,
};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let Some(x) = c.call.tensors().first().copied() else { return Ok(None) };
    let known = |b: &mut Builder<'_>| to_float(b, x);
    let y = match name {
        "Cholesky" => {
            let x = known(b)?;
            let root = b.op(Cholesky, &[x])?;
            if c.flag("upper", 1) { turned(b, root)? } else { root }
        }
        "CholeskyInverse" => {
            let x = known(b)?;
            let upper = c.flag("upper", 1);
            let one = identity(b, x)?;
            let inverse = b.op(SolveTriangular { lower: !upper }, &[x, one])?;
            let across = turned(b, inverse)?;
            if upper { b.matmul(inverse, across)? } else { b.matmul(across, inverse)? }
        }
        "Det" => {
            let x = known(b)?;
            b.op(Determinant { log: false }, &[x])?
        }
        "Slogdet" => {
            let x = known(b)?;
            return b.ops(Determinant { log: true }, &[x]).map(Some);
        }
        "Logdet" => {
            let x = known(b)?;
            let root = b.op(Cholesky, &[x])?;
            let rank = b.rank(root);
            let diagonal = super::linalg::diagonal(b, root, rank - 2, rank - 1, 0)?;
            let log = b.unary(Function::Log, diagonal)?;
            let sum = b.sum(log, &[rank - 2], false)?;
            b.scale(sum, 2.0)?
        }
        "Inv" => {
            let x = known(b)?;
            let x = if c.flag("adjoint", usize::MAX) { turned(b, x)? } else { x };
            let one = identity(b, x)?;
            b.op(Solve, &[x, one])?
        }
        "Solve" => equations(c, b, Solve)?,
        "SolveTriangular" => {
            // Which triangle it is, is said of the matrix before it is transposed.
            let lower = c.flag("lower", 2) != c.flag("adjoint", usize::MAX);
            equations(c, b, SolveTriangular { lower })?
        }
        "LuFactor" => {
            let x = known(b)?;
            return b.ops(LuFactor, &[x]).map(Some);
        }
        "Qr" => {
            let x = known(b)?;
            let complete = c.text("mode", 1) == Some("complete");
            return b.ops(Qr { complete }, &[x]).map(Some);
        }
        "Eigh" => {
            let x = known(b)?;
            return b.ops(Eigh, &[x]).map(Some);
        }
        "SVD" => {
            let x = known(b)?;
            let is =
                |name: &str, at: usize| c.plain(name, at).and_then(Json::as_bool) != Some(false);
            let svd = Svd { full: is("full_matrices", 1), vectors: is("compute_uv", 2) };
            return b.ops(svd, &[x]).map(Some);
        }
        "Pinv" => {
            let x = known(b)?;
            let longest = b.dim(x, -1)?.max(b.dim(x, -2)?) as f64;
            let limit = c.float("rcond", 1).unwrap_or(10.0 * longest * epsilon(b, x));
            let [u, inverse, v] = inverted(b, x, limit, Relation::Greater)?;
            let scaled = {
                let across = turned(b, v)?;
                let inverse = b.expand(inverse, b.rank(inverse).saturating_sub(1))?;
                b.mul(across, inverse)?
            };
            let across = turned(b, u)?;
            b.matmul(scaled, across)?
        }
        "Lstsq" => least_squares(c, b)?,
        "MatrixRank" => {
            let x = known(b)?;
            let longest = b.dim(x, -1)?.max(b.dim(x, -2)?) as f64;
            let values = b.op(Svd { full: false, vectors: false }, &[x])?;
            let last = b.rank(values).saturating_sub(1);
            let limit = match c.float("tol", 1) {
                Some(limit) => b.scalar(limit, b.dtype(x))?,
                None => {
                    let most = b.reduce(Reduction::Max, values, &[last], true)?;
                    b.scale(most, longest * epsilon(b, x))?
                }
            };
            let counts = b.compare(Relation::Greater, values, limit)?;
            let counts = b.cast(counts, DType::Int32)?;
            b.sum(counts, &[last], false)?
        }
        "Norm" => norm(c, b)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// The distance of 1 to the next number of this type.
fn epsilon(b: &Builder<'_>, x: Value) -> f64 {
    if b.dtype(x) == DType::Float64 { f64::EPSILON } else { f64::from(f32::EPSILON) }
}

/// The last two axes exchanged.
pub(super) fn turned(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let last = b.axis(x, -1)?;
    b.move_axis(x, last, last.saturating_sub(1))
}

/// Ones on the diagonals, in the shape of `x`.
fn identity(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let n = b.dim(x, -1)?;
    let one = b.table([n, n], b.dtype(x), || {
        (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect()
    })?;
    let shape = b.shape(x).to_vec();
    b.broadcast_to(one, shape)
}

fn equations(c: &OpCall<'_>, b: &mut Builder<'_>, op: impl Into<crate::ops::Op>) -> Result<Value> {
    let [a, right] = c.pair(b)?;
    let (a, right) = (to_float(b, a)?, to_float(b, right)?);
    let (a, right) = b.same_type(a, right)?;
    let a = if c.flag("adjoint", usize::MAX) { turned(b, a)? } else { a };
    if b.rank(right) + 1 != b.rank(a) {
        return b.op(op, &[a, right]);
    }
    let columns = b.rank(right);
    let right = b.expand(right, columns)?;
    let y = b.op(op, &[a, right])?;
    b.at(y, columns, 0)
}

/// `u`, one by the singular values, and `v`: values that are not larger than `limit` times the
/// largest one give 0.
fn inverted(b: &mut Builder<'_>, x: Value, limit: f64, how: Relation) -> Result<[Value; 3]> {
    let parts = b.ops(Svd { full: false, vectors: true }, &[x])?;
    let &[u, values, v] = parts.as_slice() else { return Err(b.error("has no factors")) };
    let last = b.rank(values).saturating_sub(1);
    let most = b.reduce(Reduction::Max, values, &[last], true)?;
    let least = b.scale(most, limit)?;
    let counts = b.compare(how, values, least)?;
    let (one, zero) = (b.scalar(1.0, b.dtype(x))?, b.scalar(0.0, b.dtype(x))?);
    let safe = b.select(counts, values, one)?;
    let inverse = b.div(one, safe)?;
    Ok([u, b.select(counts, inverse, zero)?, v])
}

fn least_squares(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let [a, right] = c.pair(b)?;
    let (a, right) = (to_float(b, a)?, to_float(b, right)?);
    let (m, n) = (b.dim(a, -2)?, b.dim(a, -1)?);
    let limit = match c.float("rcond", 2) {
        None => epsilon(b, a) * m.max(n) as f64,
        Some(limit) if limit < 0.0 => epsilon(b, a),
        Some(limit) => limit,
    };
    let is_vector = b.rank(right) == 1;
    let right = if is_vector { b.expand(right, 1)? } else { right };
    let [u, inverse, v] = inverted(b, a, limit, Relation::GreaterEqual)?;
    let (u, v) = (turned(b, u)?, turned(b, v)?);
    let inside = b.matmul(u, right)?;
    let inverse = b.expand(inverse, 1)?;
    let inside = b.mul(inverse, inside)?;
    let y = b.matmul(v, inside)?;
    if is_vector { b.at(y, 1, 0) } else { Ok(y) }
}

/// The order of a norm.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// The square root of the sum of squares.
    Euclid,
    Nuclear,
    Number(f64),
}

fn norm(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let x = to_float(b, x)?;
    let axes = c.axes(b, x, 2)?;
    let keepdims = c.flag("keepdims", 3);
    let order = match c.plain("ord", 1) {
        None => Order::Euclid,
        Some(Json::String(text)) => match text.as_str() {
            "fro" | "euclidean" => Order::Euclid,
            "nuc" => Order::Nuclear,
            "inf" | "Infinity" => Order::Number(f64::INFINITY),
            "-inf" | "-Infinity" => Order::Number(f64::NEG_INFINITY),
            other => return Err(b.unsupported(format!("norm {other:?}"))),
        },
        Some(number) => Order::Number(number.as_f64().unwrap_or(2.0)),
    };
    of_order(b, x, order, &axes, keepdims)
}

/// The norm of a whole-numbered order along axes, those kept.
pub(super) fn lengths(b: &mut Builder<'_>, x: Value, p: f64, axes: &[usize]) -> Result<Value> {
    of_order(b, x, Order::Number(p), axes, true)
}

fn of_order(
    b: &mut Builder<'_>,
    x: Value,
    order: Order,
    axes: &[usize],
    keepdims: bool,
) -> Result<Value> {
    let size = b.unary(Function::Abs, x)?;
    match (order, axes) {
        (Order::Euclid, _) | (Order::Number(2.0), [_]) => {
            let square = b.unary(Function::Square, x)?;
            let sum = b.sum(square, axes, keepdims)?;
            b.unary(Function::Sqrt, sum)
        }
        (Order::Number(p), [_]) => vector(b, size, p, axes, keepdims),
        (Order::Number(p), &[rows, columns]) if p.abs() == 1.0 || p.is_infinite() => {
            // The largest (smallest) sum of a column for 1, of a row for infinity.
            let (summed, rest) = if p.is_infinite() { (columns, rows) } else { (rows, columns) };
            let sum = b.sum(size, &[summed], true)?;
            let how = if p > 0.0 { Reduction::Max } else { Reduction::Min };
            let y = b.reduce(how, sum, &[rest], true)?;
            if keepdims { Ok(y) } else { b.sum(y, axes, false) }
        }
        (Order::Nuclear | Order::Number(2.0 | -2.0), &[rows, columns]) => {
            let mut moved: Vec<usize> = (0..b.rank(x)).filter(|a| !axes.contains(a)).collect();
            moved.extend([rows, columns]);
            let turned = b.transpose(x, moved)?;
            let values = b.op(Svd { full: false, vectors: false }, &[turned])?;
            let how = match order {
                Order::Number(p) if p > 0.0 => Reduction::Max,
                Order::Number(_) => Reduction::Min,
                _ => Reduction::Sum,
            };
            let last = b.rank(values).saturating_sub(1);
            let y = b.reduce(how, values, &[last], false)?;
            if !keepdims {
                return Ok(y);
            }
            let dims = b.shape(x).iter().enumerate();
            let dims = dims.map(|(i, n)| if axes.contains(&i) { 1 } else { *n });
            let shape: Vec<usize> = dims.collect();
            b.reshape(y, shape)
        }
        _ => Err(b.unsupported("this norm")),
    }
}

fn vector(
    b: &mut Builder<'_>,
    size: Value,
    p: f64,
    axes: &[usize],
    keepdims: bool,
) -> Result<Value> {
    if p.is_infinite() {
        let how = if p > 0.0 { Reduction::Max } else { Reduction::Min };
        return b.reduce(how, size, axes, keepdims);
    }
    if p == 0.0 {
        let hot = b.compare_number(Relation::NotEqual, size, 0.0)?;
        let hot = b.cast(hot, b.dtype(size))?;
        return b.sum(hot, axes, keepdims);
    }
    if p == 1.0 {
        return b.sum(size, axes, keepdims);
    }
    let power = b.with_number(Arithmetic::Pow, size, p)?;
    let sum = b.sum(power, axes, keepdims)?;
    b.with_number(Arithmetic::Pow, sum, 1.0 / p)
}
