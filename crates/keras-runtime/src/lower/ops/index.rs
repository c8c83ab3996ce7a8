//! Operations on elements by their places.

use keras_model::{Arg, DType};
use serde_json::Value as Json;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, widened};
use crate::ops::{
    Arithmetic, Connective, Function, PadMode, Reduction, Relation, StridedSlice, size,
};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let Some(x) = c.call.tensors().first().copied() else { return Ok(None) };
    let shape = b.shape(x).to_vec();
    let y = match name {
        "GetItem" => get_item(c, b, x)?,
        "Slice" => {
            let lengths = c.ints("shape", 2).unwrap_or_default();
            let Some(start) = c.ints("start_indices", 1) else {
                return moved_slice(c, b, x, &lengths).map(|y| Some(vec![y]));
            };
            let mut y = x;
            for (axis, (start, length)) in start.iter().zip(&lengths).enumerate() {
                let n = shape.get(axis).copied().unwrap_or(0);
                let start = usize::try_from(*start).unwrap_or(0);
                let end = usize::try_from(*length).map_or(n, |length| start + length);
                y = b.slice(y, axis, start, end)?;
            }
            y
        }
        "Take" => {
            let indices = c.operand(b, &["indices"], 1, None)?;
            let indices = indices.ok_or_else(|| b.error("has no indices"))?;
            match c.int("axis", 2) {
                Some(axis) => {
                    let axis = b.axis(x, axis)?;
                    b.gather(x, indices, axis)?
                }
                None => {
                    let flat = b.reshape(x, [size(&shape)])?;
                    b.gather(flat, indices, 0)?
                }
            }
        }
        "TakeAlongAxis" => {
            let indices = c.operand(b, &["indices"], 1, None)?;
            let indices = indices.ok_or_else(|| b.error("has no indices"))?;
            match c.int("axis", 2) {
                Some(axis) => {
                    let axis = b.axis(x, axis)?;
                    b.gather_along(x, indices, axis)?
                }
                None => {
                    let flat = b.reshape(x, [size(&shape)])?;
                    b.gather(flat, indices, 0)?
                }
            }
        }
        "OneHot" => {
            let classes = c.int("num_classes", 1).and_then(|n| usize::try_from(n).ok());
            let dtype = c.dtype("dtype", 3).unwrap_or(DType::Float32);
            let mut y = b.one_hot(x, classes.unwrap_or(0), dtype)?;
            let number = |name: &str| c.float(name, usize::MAX);
            if number("on_value").or(number("off_value")).is_some() {
                let on = b.scalar(number("on_value").unwrap_or(1.0), dtype)?;
                let off = b.scalar(number("off_value").unwrap_or(0.0), dtype)?;
                y = b.select(y, on, off)?;
            }
            let last = b.rank(y).saturating_sub(1);
            match c.int("axis", 2) {
                Some(axis) if axis >= 0 => b.move_axis(y, last, axis as usize)?,
                _ => y,
            }
        }
        "MultiHot" => {
            let classes = c.int("num_classes", 1).and_then(|n| usize::try_from(n).ok());
            let dtype = c.dtype("dtype", 3).unwrap_or(DType::Float32);
            let y = b.one_hot(x, classes.unwrap_or(0), dtype)?;
            if shape.len() > 1 {
                b.reduce(Reduction::Max, y, &[shape.len() - 1], false)?
            } else {
                y
            }
        }
        "TopK" => {
            let k = c.int("k", 1).and_then(|k| usize::try_from(k).ok()).unwrap_or(1);
            let last = b.axis(x, -1)?;
            let order = b.argsort(x, last, true)?;
            // Without `sorted` any order would do.
            let order = b.slice(order, last, 0, k)?;
            let values = b.gather_along(x, order, last)?;
            let order = b.cast(order, DType::Int32)?;
            return Ok(Some(vec![values, order]));
        }
        "InTopK" => {
            let predictions = c.operand(b, &["predictions"], 1, None)?;
            let predictions = predictions.ok_or_else(|| b.error("has no predictions"))?;
            in_top_k(b, x, predictions, c.float("k", 2).unwrap_or(1.0))?
        }
        "Argsort" | "Sort" => {
            let (x, axis) = match c.plain("axis", 1) {
                None if c.op.config.get("axis").is_some() => (b.reshape(x, [size(&shape)])?, 0),
                _ => (x, c.axis(b, x, 1, -1)?),
            };
            let is_falling = c.text("direction", usize::MAX) == Some("descending");
            let order = b.argsort(x, axis, is_falling)?;
            if name == "Sort" {
                b.gather_along(x, order, axis)?
            } else {
                b.cast(order, DType::Int32)?
            }
        }
        "Cumsum" | "Cumprod" | "Nancumsum" | "Nancumprod" => {
            let dtype = c.dtype("dtype", 2).unwrap_or(widened(b.dtype(x)));
            let mut x = b.cast(x, dtype)?;
            let product = name.ends_with("prod");
            if name.starts_with("Nan") {
                let nan = b.unary(crate::ops::Function::IsNan, x)?;
                let other = b.scalar(if product { 1.0 } else { 0.0 }, dtype)?;
                x = b.select(nan, other, x)?;
            }
            let (x, axis) = match c.int("axis", 1) {
                Some(axis) => (x, b.axis(x, axis)?),
                None => (b.reshape(x, [size(&shape)])?, 0),
            };
            let is_reverse = c.flag("reverse", usize::MAX);
            let x = if is_reverse { b.flip(x, axis)? } else { x };
            let mut y = b.cumulative(x, axis, product)?;
            if c.flag("exclusive", usize::MAX) {
                // All before an element, without itself.
                let mut border = vec![(0, 0); b.rank(y)];
                if let Some(first) = border.get_mut(axis) {
                    *first = (1, 0);
                }
                let n = b.shape(y).get(axis).copied().unwrap_or(0);
                let nothing = if product { 1.0 } else { 0.0 };
                let wide = b.pad(y, &border, PadMode::Constant(nothing))?;
                y = b.slice(wide, axis, 0, n)?;
            }
            if is_reverse { b.flip(y, axis)? } else { y }
        }
        "Diff" => {
            let axis = c.axis(b, x, 2, -1)?;
            let mut y = x;
            for _ in 0..c.int("n", 1).unwrap_or(1) {
                let n = b.shape(y).get(axis).copied().unwrap_or(0);
                if n == 0 {
                    break;
                }
                let (front, back) = (b.slice(y, axis, 0, n - 1)?, b.slice(y, axis, 1, n)?);
                y = b.sub(back, front)?;
            }
            y
        }
        "SearchSorted" | "Digitize" => {
            let (sequence, values) = if name == "Digitize" {
                (c.operand(b, &["bins"], 1, None)?, Some(x))
            } else {
                (Some(x), c.operand(b, &["values"], 1, None)?)
            };
            let (Some(sequence), Some(values)) = (sequence, values) else {
                return Err(b.error("takes a sequence and values"));
            };
            let right = name == "Digitize" || c.text("side", 2) == Some("right");
            let relation = if right { Relation::GreaterEqual } else { Relation::Greater };
            let values = b.expand(values, b.rank(values))?;
            let passed = b.compare(relation, values, sequence)?;
            let passed = b.cast(passed, DType::Int32)?;
            let last = b.rank(passed).saturating_sub(1);
            b.sum(passed, &[last], false)?
        }
        "Shape" => {
            let dims = shape.iter().map(|n| *n as f64).collect();
            let dtype = c.dtype("out_type", usize::MAX).unwrap_or(DType::Int32);
            b.numbers([shape.len()], dims, dtype)?
        }
        "Ndim" => b.scalar(shape.len() as f64, DType::Int32)?,
        "Argpartition" => {
            let axis = c.axis(b, x, 2, -1)?;
            let order = b.argsort(x, axis, false)?;
            b.cast(order, DType::Int32)?
        }
        "Size" => {
            let dtype = c.dtype("out_type", usize::MAX).unwrap_or(DType::Int32);
            b.scalar(size(&shape) as f64, dtype)?
        }
        "Tril" | "Triu" => triangle(c, name, b, x)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// A part whose start is known only when the model runs; moved inside where it is beyond.
/// Whether each of the predictions of the targets is among the `k` largest of its row: no class that
/// is not there is, and none of a row that is not finite. `tf.math.in_top_k`.
pub(crate) fn in_top_k(
    b: &mut Builder<'_>,
    targets: Value,
    predictions: Value,
    k: f64,
) -> Result<Value> {
    let classes = b.dim(predictions, 1)?;
    let targets = b.expand(targets, 1)?;
    let is_under = b.compare_number(Relation::Less, targets, 0.0)?;
    let is_over = b.compare_number(Relation::GreaterEqual, targets, classes as f64)?;
    let is_none = b.logic(Connective::Or, is_under, is_over)?;
    let zero = b.scalar(0.0, b.dtype(targets))?;
    let targets = b.select(is_none, zero, targets)?;
    let chosen = b.gather_along(predictions, targets, 1)?;
    let better = b.compare(Relation::Greater, predictions, chosen)?;
    let better = b.cast(better, DType::Int32)?;
    let count = b.sum(better, &[1], false)?;
    let is_among = b.compare_number(Relation::Less, count, k)?;
    let size = b.unary(Function::Abs, predictions)?;
    let is_finite = b.compare_number(Relation::Less, size, f64::INFINITY)?;
    let is_finite = b.all(is_finite, &[1], false)?;
    let is_one = b.not(is_none)?;
    let is_one = b.at(is_one, 1, 0)?;
    let is_sure = b.logic(Connective::And, is_finite, is_one)?;
    b.logic(Connective::And, is_among, is_sure)
}

fn moved_slice(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value, lengths: &[i64]) -> Result<Value> {
    let starts = super::scatter::starts(c, b)?;
    let mut y = x;
    for (axis, length) in lengths.iter().enumerate() {
        let n = b.shape(x).get(axis).copied().unwrap_or(0);
        let length = usize::try_from(*length).unwrap_or(n).min(n);
        let start = b.at(starts, 0, axis)?;
        let start = b.with_number(Arithmetic::Max, start, 0.0)?;
        let start = b.with_number(Arithmetic::Min, start, (n - length) as f64)?;
        let places = b.indices(0..length)?;
        let places = b.add(places, start)?;
        y = b.gather(y, places, axis)?;
    }
    Ok(y)
}

fn triangle(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let (rows, columns) = (b.dim(x, -2)?, b.dim(x, -1)?);
    let k = c.int("k", 1).unwrap_or(0);
    let upper = name == "Triu";
    let inside = crate::lower::attention::pairs(b, rows, columns, |i, j| {
        let distance = j as i64 - i as i64;
        if upper { distance >= k } else { distance <= k }
    })?;
    let inside = b.at(inside, 0, 0)?;
    let zero = b.scalar(0.0, b.dtype(x))?;
    b.select(inside, x, zero)
}

/// `x[key]` with numbers, slices, `None`, `...` and one array of places.
fn get_item(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let key = c.call.inputs.named("key", 1).ok_or_else(|| b.error("has no key"))?;
    let keys: Vec<Arg<Value>> = match key {
        Arg::List(items) => items.clone(),
        Arg::Value(Json::Array(items)) => items.iter().cloned().map(Arg::Value).collect(),
        other => vec![other.clone()],
    };
    let is_new = |key: &Arg<Value>| matches!(key, Arg::Value(Json::Null));
    let used = keys.iter().filter(|k| !is_new(k) && !matches!(k, Arg::Ellipsis)).count();
    let mut y = x;
    let mut axis = 0;
    for key in &keys {
        match key {
            key if is_new(key) => {
                y = b.expand(y, axis)?;
                axis += 1;
            }
            Arg::Ellipsis => axis += b.rank(x).saturating_sub(used),
            Arg::Value(Json::Number(n)) => {
                let n = n.as_i64().unwrap_or(0);
                let length = b.shape(y).get(axis).copied().unwrap_or(0);
                let at = crate::lower::build::axis_of(n, length);
                let at = at.ok_or_else(|| b.error(format!("no element {n} of {length}")))?;
                y = b.at(y, axis, at)?;
            }
            Arg::Slice(parts) => {
                y = slice(b, y, axis, parts)?;
                axis += 1;
            }
            Arg::Tensor(indices) => {
                y = b.gather(y, *indices, axis)?;
                axis += b.rank(*indices);
            }
            _ => return Err(b.unsupported("this kind of index")),
        }
    }
    Ok(y)
}

fn slice(
    b: &mut Builder<'_>,
    x: Value,
    axis: usize,
    parts: &[Box<Arg<Value>>; 3],
) -> Result<Value> {
    let n = b.shape(x).get(axis).copied().unwrap_or(0) as i64;
    let part = |b: &Builder<'_>, part: &Arg<Value>| match part {
        Arg::Value(Json::Null) => Ok(None),
        Arg::Value(value) => Ok(value.as_i64()),
        Arg::Tensor(value) => {
            let known = b.needed(*value, "slice")?.cast(DType::Int64)?;
            Ok(known.as_slice::<i64>().and_then(|v| v.first().copied()))
        }
        _ => Err(b.unsupported("this kind of slice")),
    };
    let [start, stop, step] = parts;
    let (start, stop) = (part(b, start)?, part(b, stop)?);
    // A step past the end is as good as any other.
    let step = part(b, step)?.unwrap_or(1).clamp(-n - 1, n + 1);
    if step == 0 {
        return Err(b.error("a slice with step 0"));
    }
    // What `slice.indices` of Python says.
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let place = |v: i64| (if v < 0 { v + n } else { v }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, place);
    let stop = stop.map_or(if step > 0 { high } else { low }, place);
    let count = if step > 0 {
        (stop - start + step - 1).div_euclid(step)
    } else {
        (start - stop - step - 1).div_euclid(-step)
    };
    let count = count.max(0) as usize;
    let x = if step < 0 { b.flip(x, axis)? } else { x };
    let first = if step < 0 { n - 1 - start } else { start };
    let mut counts = b.shape(x).to_vec();
    let (mut begin, mut steps) = (vec![0; counts.len()], vec![1; counts.len()]);
    if let (Some(c), Some(s), Some(t)) =
        (counts.get_mut(axis), begin.get_mut(axis), steps.get_mut(axis))
    {
        (*c, *s, *t) = (count, first.max(0) as usize, step.unsigned_abs() as usize);
    }
    b.op(StridedSlice { begin, count: counts, step: steps }, &[x])
}
