//! New arrays of few numbers: diagonals, grids, equidistant numbers: `keras/src/ops/numpy.py`.

use keras_model::DType;
use keras_model::layers::spatial::Padding;

use super::linalg::matmul;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, common, to_float};
use crate::lower::spatial;
use crate::ops::{Arithmetic, Connective, Conv, Function, PadMode, Relation, size};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let Some(x) = c.call.tensors().first().copied() else { return Ok(None) };
    let y = match name {
        "Diag" | "Diagflat" => {
            let k = c.int("k", 1).unwrap_or(0);
            if name == "Diag" && b.rank(x) == 2 {
                super::linalg::diagonal(b, x, 0, 1, k)?
            } else {
                on_diagonal(b, x, k)?
            }
        }
        "Vander" => {
            let n = b.dim(x, 0)?;
            let columns = c.int("N", 1).and_then(|n| usize::try_from(n).ok()).unwrap_or(n);
            let powers = (0..columns).map(|i| i as f64);
            let powers = b.table([1, columns], b.dtype(x), || {
                if c.flag("increasing", 2) { powers.collect() } else { powers.rev().collect() }
            })?;
            let x = b.expand(x, 1)?;
            b.binary(Arithmetic::Pow, x, powers)?
        }
        "Meshgrid" => return grid(c, b).map(Some),
        "Linspace" => return equidistant(c, b).map(Some),
        "Logspace" => {
            let exponents = equidistant(c, b)?;
            let base = c.float("base", usize::MAX).unwrap_or(10.0);
            return power_of(b, base, exponents).map(Some);
        }
        "Geomspace" => {
            let [start, stop] = c.pair(b)?;
            let sign = b.unary(Function::Sign, start)?;
            let log = |b: &mut Builder<'_>, x: Value| {
                let x = to_float(b, x)?;
                let x = b.unary(Function::Abs, x)?;
                b.unary(Function::Log10, x)
            };
            let (start, stop) = (log(b, start)?, log(b, stop)?);
            let exponents = between(c, b, start, stop)?;
            let y = power_of(b, 10.0, exponents)?;
            let sign = to_float(b, sign)?;
            y.first().map(|y| b.mul(*y, sign)).transpose()?.unwrap_or(start)
        }
        "Full" => {
            let shape = c.ints("shape", 0).unwrap_or_default();
            let shape: Option<Vec<usize>> =
                shape.iter().map(|n| usize::try_from(*n).ok()).collect();
            let shape = shape.ok_or_else(|| b.unsupported("an unknown shape"))?;
            let x = match c.dtype("dtype", 2) {
                Some(dtype) => b.cast(x, dtype)?,
                None => x,
            };
            b.broadcast_to(x, shape)?
        }
        "Kron" => kron(c, b)?,
        "Cross" => cross(c, b)?,
        "Corrcoef" => corrcoef(b, x)?,
        "Correlate" => correlate(c, b)?,
        "UnravelIndex" => {
            let shape = c.ints("shape", 1).unwrap_or_default();
            let mut rest = x;
            let mut parts = Vec::with_capacity(shape.len());
            // For one axis as NumPy does; of more axes Keras takes the lengths in reverse.
            let is_flat = b.rank(x) == 1;
            let lengths: Vec<i64> = if is_flat { shape.into_iter().rev().collect() } else { shape };
            for length in lengths {
                parts.push(b.with_number(Arithmetic::Mod, rest, length as f64)?);
                rest = b.with_number(Arithmetic::FloorDiv, rest, length as f64)?;
            }
            parts.reverse();
            return Ok(Some(parts));
        }
        "IsIn" => {
            let [x, y] = c.pair(b)?;
            let flat = b.reshape(y, [size(b.shape(y))])?;
            let wide = b.expand(x, b.rank(x))?;
            let same = b.compare(Relation::Equal, wide, flat)?;
            let found = b.any(same, &[b.rank(x)], false)?;
            if c.flag("invert", usize::MAX) { b.not(found)? } else { found }
        }
        "Angle" => {
            // Of a real number: 0, or half a turn.
            let x = to_float(b, x)?;
            let zero = b.scalar(0.0, b.dtype(x))?;
            b.binary(Arithmetic::Atan2, zero, x)?
        }
        "Isreal" => {
            let shape = b.shape(x).to_vec();
            b.full(shape, 1.0, DType::Bool)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// A square with the elements on one of its diagonals.
fn on_diagonal(b: &mut Builder<'_>, x: Value, k: i64) -> Result<Value> {
    let n = size(b.shape(x));
    let skip = k.unsigned_abs() as usize;
    let side = n.saturating_add(skip);
    b.check_value("matrix", &[side, side], DType::Int64)?;
    let flat = b.reshape(x, [n])?;
    let zero = b.full([1], 0.0, b.dtype(x))?;
    let with_zero = b.concat(&[flat, zero], 0)?;
    // Each place of the square takes an element, or the zero behind them.
    let element = |at: usize| {
        let (i, j) = (at / side, at % side);
        let (from, to) =
            if k < 0 { (i.checked_sub(skip), Some(j)) } else { (Some(i), j.checked_sub(skip)) };
        from.filter(|_| from == to).filter(|i| *i < n).unwrap_or(n)
    };
    let places = b.indices((0..side * side).map(element))?;
    let square = b.gather(with_zero, places, 0)?;
    b.reshape(square, [side, side])
}

fn grid(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let tensors = c.call.tensors();
    let lengths: Vec<usize> = tensors.iter().map(|v| size(b.shape(*v))).collect();
    let is_xy = c.text("indexing", usize::MAX) != Some("ij") && lengths.len() > 1;
    let mut all = Vec::with_capacity(tensors.len());
    for (i, x) in tensors.into_iter().enumerate() {
        let mut shape = vec![1; lengths.len()];
        if let (Some(to), Some(n)) = (shape.get_mut(i), lengths.get(i)) {
            *to = *n;
        }
        let mut full = lengths.clone();
        if is_xy {
            shape.swap(0, 1);
            full.swap(0, 1);
        }
        let x = b.reshape(x, shape)?;
        all.push(b.broadcast_to(x, full)?);
    }
    Ok(all)
}

fn equidistant(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let [start, stop] = c.pair(b)?;
    between(c, b, start, stop)
}

/// `num` numbers from one to the other, and their distance if it is asked for.
fn between(c: &OpCall<'_>, b: &mut Builder<'_>, start: Value, stop: Value) -> Result<Vec<Value>> {
    let n = c.int("num", usize::MAX).and_then(|n| usize::try_from(n).ok()).unwrap_or(50);
    let endpoint = c.plain("endpoint", usize::MAX).and_then(serde_json::Value::as_bool);
    let steps = if endpoint == Some(false) { n } else { n.saturating_sub(1) };
    let (start, stop) = (to_float(b, start)?, to_float(b, stop)?);
    let width = b.sub(stop, start)?;
    let axis = c.int("axis", usize::MAX).unwrap_or(0);
    let rank = b.rank(width) as i64 + 1;
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).unwrap_or(0);
    let mut shape = vec![1; b.rank(width) + 1];
    if let Some(to) = shape.get_mut(axis) {
        *to = n;
    }
    let shares = (0..n).map(|i| i as f64 / steps.max(1) as f64);
    let shares = b.table(shape, b.dtype(width), || shares.collect())?;
    let (wide, first) = (b.expand(width, axis)?, b.expand(start, axis)?);
    let y = b.mul(shares, wide)?;
    let mut y = b.add(y, first)?;
    if let Some(dtype) = c.dtype("dtype", usize::MAX) {
        if !dtype.is_float() {
            y = b.unary(Function::Floor, y)?;
        }
        y = b.cast(y, dtype)?;
    }
    if !c.flag("retstep", usize::MAX) {
        return Ok(vec![y]);
    }
    let step = b.scale(width, 1.0 / steps as f64)?;
    Ok(vec![y, step])
}

fn power_of(b: &mut Builder<'_>, base: f64, exponents: Vec<Value>) -> Result<Vec<Value>> {
    let power = |exponent: Value| {
        let base = b.scalar(base, b.dtype(exponent))?;
        b.binary(Arithmetic::Pow, base, exponent)
    };
    exponents.into_iter().take(1).map(power).collect()
}

fn kron(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let [x, y] = c.pair(b)?;
    let rank = b.rank(x).max(b.rank(y));
    let padded = |b: &Builder<'_>, v: Value| {
        let mut shape = vec![1; rank - b.rank(v)];
        shape.extend_from_slice(b.shape(v));
        shape
    };
    let (of_x, of_y) = (padded(b, x), padded(b, y));
    // The axes of both by turns: one of `x` that stays in place, one of `y` inside it.
    let wide = |shape: &[usize], is_outer: bool| -> Vec<usize> {
        shape.iter().flat_map(|n| if is_outer { [*n, 1] } else { [1, *n] }).collect()
    };
    let x = b.reshape(x, wide(&of_x, true))?;
    let y = b.reshape(y, wide(&of_y, false))?;
    let product = b.mul(x, y)?;
    let shape: Vec<usize> = of_x.iter().zip(&of_y).map(|(n, m)| n * m).collect();
    b.reshape(product, shape)
}

fn cross(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let [x, y] = c.pair(b)?;
    let (x, y) = b.same_type(x, y)?;
    let axis =
        |name: &str| c.int("axis", usize::MAX).or_else(|| c.int(name, usize::MAX)).unwrap_or(-1);
    let vectors = |b: &mut Builder<'_>, x: Value, at: i64| {
        let (at, last) = (b.axis(x, at)?, b.axis(x, -1)?);
        let x = b.move_axis(x, at, last)?;
        let parts = b.dim(x, -1)?;
        let mut borders = vec![(0, 0); b.rank(x)];
        if let Some(border) = borders.last_mut() {
            *border = (0, 3_usize.saturating_sub(parts));
        }
        Ok::<_, crate::Error>((b.pad(x, &borders, PadMode::Constant(0.0))?, parts == 2))
    };
    let ((x, x_is_flat), (y, y_is_flat)) =
        (vectors(b, x, axis("axisa"))?, vectors(b, y, axis("axisb"))?);
    let turned = |b: &mut Builder<'_>, x: Value, order: [usize; 3]| {
        let (places, last) = (b.indices(order)?, b.axis(x, -1)?);
        b.gather(x, places, last)
    };
    let (x1, y1) = (turned(b, x, [1, 2, 0])?, turned(b, y, [2, 0, 1])?);
    let (x2, y2) = (turned(b, x, [2, 0, 1])?, turned(b, y, [1, 2, 0])?);
    let (first, second) = (b.mul(x1, y1)?, b.mul(x2, y2)?);
    let z = b.sub(first, second)?;
    let last = b.axis(z, -1)?;
    if x_is_flat && y_is_flat {
        return b.at(z, last, 2);
    }
    let to = b.axis(z, axis("axisc"))?;
    b.move_axis(z, last, to)
}

fn corrcoef(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let x = to_float(b, x)?;
    let x = if b.rank(x) == 1 { b.expand(x, 0)? } else { x };
    let (n, last) = (b.dim(x, -1)?, b.axis(x, -1)?);
    let mean = b.mean(x, &[last], true)?;
    let centred = b.sub(x, mean)?;
    let turned = b.transpose(centred, vec![1, 0])?;
    let products = matmul(b, centred, turned)?;
    let products = b.scale(products, 1.0 / (n as f64 - 1.0))?;
    let squares = super::linalg::diagonal(b, products, 0, 1, 0)?;
    let lengths = b.unary(Function::Sqrt, squares)?;
    let (rows, columns) = (b.expand(lengths, 1)?, b.expand(lengths, 0)?);
    let both = b.mul(rows, columns)?;
    let y = b.div(products, both)?;
    let y = b.with_number(Arithmetic::Max, y, -1.0)?;
    b.with_number(Arithmetic::Min, y, 1.0)
}

fn correlate(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let [x, y] = c.pair(b)?;
    let all = common(b, &[x, y])?;
    let &[x, y] = all.as_slice() else { return Err(b.error("takes two vectors")) };
    let (x, y) = (to_float(b, x)?, to_float(b, y)?);
    let (n, m) = (b.dim(x, 0)?, b.dim(y, 0)?);
    let mode = c.text("mode", usize::MAX).unwrap_or("valid");
    let border = if mode == "valid" { 0 } else { m.saturating_sub(1) };
    let x = b.pad(x, &[(border, border)], PadMode::Constant(0.0))?;
    let length = b.dim(x, 0)?;
    let x = b.reshape(x, [1, length, 1])?;
    let kernel = b.reshape(y, [m, 1, 1])?;
    let window = spatial::window(b, x, &[m], &[1], &[1], Padding::Valid)?;
    let z = b.op(Conv::new(window, 1), &[x, kernel])?;
    let count = size(b.shape(z));
    let z = b.reshape(z, [count])?;
    if mode != "same" {
        return Ok(z);
    }
    let kept = n.max(m);
    let start = (count.saturating_sub(kept)) / 2;
    b.slice(z, 0, start, start + kept)
}

/// `saturate_cast`: the nearest number that the other type has.
pub(super) fn saturated(b: &mut Builder<'_>, x: Value, dtype: DType) -> Result<Value> {
    let range = match dtype {
        DType::Bool => Some((0.0, 1.0)),
        DType::Int8 => Some((f64::from(i8::MIN), f64::from(i8::MAX))),
        DType::Int16 => Some((f64::from(i16::MIN), f64::from(i16::MAX))),
        DType::Int32 => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
        DType::Int64 => Some((i64::MIN as f64, i64::MAX as f64)),
        DType::UInt8 => Some((0.0, f64::from(u8::MAX))),
        DType::UInt16 => Some((0.0, f64::from(u16::MAX))),
        DType::UInt32 => Some((0.0, f64::from(u32::MAX))),
        DType::UInt64 => Some((0.0, u64::MAX as f64)),
        DType::Float16 => Some((-65504.0, 65504.0)),
        _ => None,
    };
    let Some((low, high)) = range.filter(|_| b.dtype(x) != DType::Bool) else {
        return b.cast(x, dtype);
    };
    let wide = if b.dtype(x).is_float() { b.cast(x, DType::Float64)? } else { x };
    // Limits that the type itself does not reach need no clipping.
    let wide = if b.dtype(wide).is_float() || !matches!(dtype, DType::Int64 | DType::UInt64) {
        let wide = if b.dtype(wide).is_float() { wide } else { b.cast(wide, DType::Int64)? };
        let wide = b.with_number(Arithmetic::Max, wide, low)?;
        b.with_number(Arithmetic::Min, wide, high)?
    } else if dtype == DType::UInt64 {
        b.with_number(Arithmetic::Max, wide, 0.0)?
    } else {
        wide
    };
    b.cast(wide, dtype)
}

/// Whether the sign of a number is minus, that of zero included.
pub(super) fn is_minus(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let negative = b.compare_number(Relation::Less, x, 0.0)?;
    if !b.dtype(x).is_float() {
        return Ok(negative);
    }
    let inverse = b.unary(Function::Reciprocal, x)?;
    let below = b.compare_number(Relation::Less, inverse, 0.0)?;
    b.logic(Connective::Or, negative, below)
}
