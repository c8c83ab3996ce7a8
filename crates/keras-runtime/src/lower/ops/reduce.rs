//! Operations that make few elements of many.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::activation;
use crate::lower::operation::{OpCall, to_float, widened};
use crate::ops::{Arithmetic, Function, Reduction, Relation};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let Some(x) = c.call.tensors().first().copied() else { return Ok(None) };
    let keepdims = c.flag("keepdims", 2);
    let axes = |b: &Builder<'_>| c.axes(b, x, 1);
    let y = match name {
        "Sum" | "Prod" => {
            let dtype = c.dtype("dtype", 3).unwrap_or(widened(b.dtype(x)));
            let wide = b.cast(x, dtype)?;
            let how = if name == "Sum" { Reduction::Sum } else { Reduction::Prod };
            b.reduce(how, wide, &axes(b)?, keepdims)?
        }
        "Max" | "Amax" | "Min" | "Amin" => {
            let how = if name.ends_with("ax") { Reduction::Max } else { Reduction::Min };
            let bool_ = b.dtype(x) == DType::Bool;
            let wide = if bool_ { b.cast(x, DType::Int32)? } else { x };
            let mut y = b.reduce(how, wide, &axes(b)?, keepdims)?;
            if let Some(initial) = c.float("initial", 3) {
                let how = if how == Reduction::Max { Arithmetic::Max } else { Arithmetic::Min };
                y = b.with_number(how, y, initial)?;
            }
            if bool_ { b.cast(y, DType::Bool)? } else { y }
        }
        "Ptp" => {
            let axes = axes(b)?;
            let high = b.reduce(Reduction::Max, x, &axes, keepdims)?;
            let low = b.reduce(Reduction::Min, x, &axes, keepdims)?;
            b.sub(high, low)?
        }
        "Mean" => {
            let dtype = b.dtype(x);
            let x = to_float(b, x)?;
            let y = b.mean(x, &axes(b)?, keepdims)?;
            // TensorFlow's mean of integers is one.
            if b.is_keras3() { y } else { b.cast(y, dtype)? }
        }
        "Average" => {
            let x = to_float(b, x)?;
            let axes = axes(b)?;
            match c.operand(b, &["weights"], 1, Some(b.dtype(x)))? {
                None => b.mean(x, &axes, false)?,
                Some(weights) => {
                    let mut shape = vec![1; b.rank(x)];
                    if b.rank(weights) == 1
                        && let [axis] = axes.as_slice()
                        && let Some(dim) = shape.get_mut(*axis)
                    {
                        *dim = b.dim(weights, 0)?;
                    } else {
                        shape = b.shape(weights).to_vec();
                    }
                    let weights = b.reshape(weights, shape)?;
                    let weighted = b.mul(x, weights)?;
                    let full = b.shape(x).to_vec();
                    let weights = b.broadcast_to(weights, full)?;
                    let (sum, total) =
                        (b.sum(weighted, &axes, false)?, b.sum(weights, &axes, false)?);
                    b.div(sum, total)?
                }
            }
        }
        "Var" | "Std" => {
            let x = to_float(b, x)?;
            let y = b.variance(x, &axes(b)?, keepdims)?;
            if name == "Std" { b.unary(Function::Sqrt, y)? } else { y }
        }
        "Moments" => {
            let axes = c.ints("axes", 1).unwrap_or_default();
            let axes = b.axes(x, &axes)?;
            let keepdims = keepdims || c.flag("keepdims", usize::MAX);
            let mean = b.mean(x, &axes, keepdims)?;
            let variance = b.variance(x, &axes, keepdims)?;
            return Ok(Some(vec![mean, variance]));
        }
        "Any" => b.any(x, &axes(b)?, keepdims)?,
        "All" => b.all(x, &axes(b)?, keepdims)?,
        "CountNonzero" => {
            let hot = b.compare_number(Relation::NotEqual, x, 0.0)?;
            let hot = b.cast(hot, c.dtype("dtype", usize::MAX).unwrap_or(DType::Int32))?;
            b.sum(hot, &axes(b)?, keepdims)?
        }
        "Logsumexp" => {
            let x = to_float(b, x)?;
            activation::logsumexp(b, x, &axes(b)?, keepdims)?
        }
        "Argmax" | "Argmin" => {
            let (flat, axis) = match c.int("axis", 1) {
                Some(axis) => (x, b.axis(x, axis)?),
                None => (b.reshape(x, [crate::ops::size(b.shape(x))])?, 0),
            };
            let y = b.arg_reduce(flat, axis, name == "Argmax")?;
            let y = b.cast(y, c.dtype("output_type", usize::MAX).unwrap_or(DType::Int32))?;
            if !keepdims {
                y
            } else if c.int("axis", 1).is_some() {
                b.expand(y, axis)?
            } else {
                b.reshape(y, vec![1; b.rank(x)])?
            }
        }
        "Median" | "Quantile" | "Percentile" => quantile(c, name, b, x)?,
        "Nanmedian" | "Nanquantile" | "Nanpercentile" => nan_quantile(c, name, b, x)?,
        "Nanargmax" | "Nanargmin" => {
            let x = to_float(b, x)?;
            let is_max = name == "Nanargmax";
            let is_nan = b.unary(Function::IsNan, x)?;
            let worst = if is_max { f64::NEG_INFINITY } else { f64::INFINITY };
            let worst = b.scalar(worst, b.dtype(x))?;
            let filled = b.select(is_nan, worst, x)?;
            let (filled, axis) = match c.int("axis", 1) {
                Some(axis) => (filled, b.axis(x, axis)?),
                None => (b.reshape(filled, [crate::ops::size(b.shape(x))])?, 0),
            };
            let place = b.arg_reduce(filled, axis, is_max)?;
            let place = b.cast(place, DType::Int32)?;
            // Where there is nothing but NaN: -1.
            let all = b.all(is_nan, &axes(b)?, false)?;
            let none = b.scalar(-1.0, DType::Int32)?;
            let place = b.select(all, none, place)?;
            if keepdims { kept(b, x, place, &axes(b)?)? } else { place }
        }
        "Nansum" | "Nanmean" | "Nanmax" | "Nanmin" | "Nanprod" | "Nanvar" | "Nanstd" => {
            let x = to_float(b, x)?;
            nan_ignored(name, b, x, &axes(b)?, keepdims)?
        }
        "Trapezoid" => {
            let x = to_float(b, x)?;
            let axis = c.axis(b, x, 3, -1)?;
            let n = b.shape(x).get(axis).copied().unwrap_or(1);
            let (left, right) = (b.slice(x, axis, 0, n - 1)?, b.slice(x, axis, 1, n)?);
            let mut heights = b.add(left, right)?;
            let mut width = c.float("dx", 2).unwrap_or(1.0);
            if let Some(places) = c.plain("x", 1).and_then(crate::lower::rescaling::nested) {
                let steps =
                    places.1.windows(2).map(|pair| pair.iter().rev().fold(0.0, |s, v| v - s));
                let steps: Vec<f64> = steps.map(|s| -s).collect();
                let mut shape = vec![1; b.rank(x)];
                if let Some(to) = shape.get_mut(axis) {
                    *to = steps.len();
                }
                let steps = b.numbers(shape, steps, b.dtype(x))?;
                heights = b.mul(heights, steps)?;
                width = 1.0;
            }
            let sum = b.sum(heights, &[axis], false)?;
            b.scale(sum, width / 2.0)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// Values at shares of the sorted elements, between two elements on the line between them.
fn quantile(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let x = to_float(b, x)?;
    let position = if name == "Median" { 1 } else { 2 };
    let keepdims = c.flag("keepdims", position + 2) || c.flag("keepdims", usize::MAX);
    let axes = c.axes(b, x, position)?;
    let kept: Vec<usize> = (0..b.rank(x)).filter(|a| !axes.contains(a)).collect();
    let shape = b.shape(x).to_vec();
    let lengths =
        |of: &[usize]| -> Vec<usize> { of.iter().filter_map(|a| shape.get(*a).copied()).collect() };
    let n: usize = lengths(&axes).iter().product();
    let moved = b.transpose(x, [&kept[..], &axes[..]].concat())?;
    let rows = b.reshape(moved, [lengths(&kept), vec![n]].concat())?;
    let last = kept.len();
    let order = b.argsort(rows, last, false)?;
    let sorted = b.gather_along(rows, order, last)?;
    let shares = match name {
        "Median" => (vec![], vec![0.5]),
        _ => shares(c, b)?,
    };
    // Keras 3.15 forgets the method of `quantile` in a graph.
    let method = c.text("method", usize::MAX).filter(|_| name != "Quantile");
    let scale = if name == "Percentile" { 0.01 } else { 1.0 };
    let mut parts = Vec::with_capacity(shares.1.len());
    for share in &shares.1 {
        let place = share * scale * (n.saturating_sub(1)) as f64;
        let (low, high) = (place.floor(), place.ceil());
        let low_x = b.at(sorted, last, low as usize)?;
        let high_x = b.at(sorted, last, high as usize)?;
        let y = match method {
            Some("lower") => low_x,
            Some("higher") => high_x,
            Some("nearest") => {
                if place.round_ties_even() > low {
                    high_x
                } else {
                    low_x
                }
            }
            Some("midpoint") => {
                let sum = b.add(low_x, high_x)?;
                b.scale(sum, 0.5)?
            }
            _ => {
                let step = b.sub(high_x, low_x)?;
                let step = b.scale(step, place - low)?;
                b.add(low_x, step)?
            }
        };
        let y = if keepdims {
            let dims = shape.iter().enumerate();
            let dims = dims.map(|(i, n)| if axes.contains(&i) { 1 } else { *n });
            b.reshape(y, dims.collect::<Vec<_>>())?
        } else {
            y
        };
        parts.push(if shares.0.is_empty() { y } else { b.expand(y, 0)? });
    }
    b.concat(&parts, 0)
}

/// The shares asked for: their shape and they.
fn shares(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<(Vec<usize>, Vec<f64>)> {
    let q = c.operand(b, &["q"], 1, Some(DType::Float64))?;
    let known = q.and_then(|q| b.known(q)).map(crate::View::to_tensor);
    let q = known.ok_or_else(|| b.unsupported("a share that is a tensor"))?;
    let values = q.cast(DType::Float64)?;
    Ok((q.shape().to_vec(), values.as_slice::<f64>().unwrap_or_default().to_vec()))
}

/// A result in the shape of `x`, the axes of length 1.
fn kept(b: &mut Builder<'_>, x: Value, y: Value, axes: &[usize]) -> Result<Value> {
    let dims = b.shape(x).iter().enumerate();
    let dims = dims.map(|(i, n)| if axes.contains(&i) { 1 } else { *n });
    let shape: Vec<usize> = dims.collect();
    b.reshape(y, shape)
}

/// Values at shares of those sorted elements that are numbers.
fn nan_quantile(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let x = to_float(b, x)?;
    let position = if name == "Nanmedian" { 1 } else { 2 };
    let keepdims = c.flag("keepdims", usize::MAX);
    let axes = c.axes(b, x, position)?;
    let free: Vec<usize> = (0..b.rank(x)).filter(|a| !axes.contains(a)).collect();
    let shape = b.shape(x).to_vec();
    let lengths =
        |of: &[usize]| -> Vec<usize> { of.iter().filter_map(|a| shape.get(*a).copied()).collect() };
    let n: usize = lengths(&axes).iter().product();
    let moved = b.transpose(x, [&free[..], &axes[..]].concat())?;
    let rows = b.reshape(moved, [lengths(&free), vec![n]].concat())?;
    let last = free.len();
    // NaN is sorted to the end.
    let order = b.argsort(rows, last, false)?;
    let sorted = b.gather_along(rows, order, last)?;
    let is_nan = b.unary(Function::IsNan, rows)?;
    let is_nan = b.cast(is_nan, b.dtype(x))?;
    let lost = b.sum(is_nan, &[last], true)?;
    let top = b.scale(lost, -1.0)?;
    let top = b.with_number(Arithmetic::Add, top, n as f64 - 1.0)?;
    let (of, all) = if position == 1 { (vec![], vec![0.5]) } else { shares(c, b)? };
    let scale = if name == "Nanpercentile" { 0.01 } else { 1.0 };
    let method = c.text("method", usize::MAX).unwrap_or("linear").to_owned();
    let mut parts = Vec::with_capacity(all.len());
    for share in all {
        let place = b.scale(top, share * scale)?;
        let place = b.with_number(Arithmetic::Max, place, 0.0)?;
        let (low, high) = (b.unary(Function::Floor, place)?, b.unary(Function::Ceil, place)?);
        let chosen = |b: &mut Builder<'_>, at: Value| b.gather_along(sorted, at, last);
        let y = match method.as_str() {
            "lower" => chosen(b, low)?,
            "higher" => chosen(b, high)?,
            "nearest" => {
                let near = b.unary(Function::Round, place)?;
                chosen(b, near)?
            }
            method => {
                let (from, to) = (chosen(b, low)?, chosen(b, high)?);
                let step = b.sub(to, from)?;
                let step = if method == "midpoint" {
                    b.scale(step, 0.5)?
                } else {
                    let share = b.sub(place, low)?;
                    b.mul(step, share)?
                };
                b.add(from, step)?
            }
        };
        let y = if keepdims { kept(b, x, y, &axes)? } else { b.at(y, last, 0)? };
        parts.push(if of.is_empty() { y } else { b.expand(y, 0)? });
    }
    b.concat(&parts, 0)
}

fn nan_ignored(
    name: &str,
    b: &mut Builder<'_>,
    x: Value,
    axes: &[usize],
    keepdims: bool,
) -> Result<Value> {
    let is_nan = b.unary(Function::IsNan, x)?;
    let replace = |b: &mut Builder<'_>, value: f64| {
        let value = b.scalar(value, b.dtype(x))?;
        b.select(is_nan, value, x)
    };
    let (start, how) = match name {
        "Nanprod" => (1.0, Reduction::Prod),
        "Nanmax" => (f64::NEG_INFINITY, Reduction::Max),
        "Nanmin" => (f64::INFINITY, Reduction::Min),
        _ => (0.0, Reduction::Sum),
    };
    let filled = replace(b, start)?;
    if matches!(name, "Nansum" | "Nanprod" | "Nanmax" | "Nanmin") {
        return b.reduce(how, filled, axes, keepdims);
    }
    let counts = b.unary(Function::Neg, is_nan)?;
    let counts = b.with_number(Arithmetic::Add, counts, 1.0)?;
    let count = b.sum(counts, axes, true)?;
    let sum = b.sum(filled, axes, true)?;
    let mean = b.div(sum, count)?;
    let y = if name == "Nanmean" {
        mean
    } else {
        let filled = b.select(is_nan, mean, x)?;
        let distance = b.binary(Arithmetic::SquaredDifference, filled, mean)?;
        let sum = b.sum(distance, axes, true)?;
        let variance = b.div(sum, count)?;
        if name == "Nanstd" { b.unary(Function::Sqrt, variance)? } else { variance }
    };
    if keepdims {
        return Ok(y);
    }
    let dims = b.shape(y).iter().enumerate();
    let shape: Vec<usize> = dims.filter(|(i, _)| !axes.contains(i)).map(|(_, n)| *n).collect();
    b.reshape(y, shape)
}
