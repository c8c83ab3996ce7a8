//! Operations that move elements.

use keras_model::DType;
use keras_model::ops::Rearrangement;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, common};
use crate::lower::{concatenate, reshape, up_sampling};
use crate::ops::{PadMode, size};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let tensors = c.call.tensors();
    let Some(x) = tensors.first().copied() else { return Ok(None) };
    let shape = b.shape(x).to_vec();
    let y = match name {
        "Reshape" => {
            let target = match c.known_ints(b, "newshape", 1)? {
                Some(target) => Some(target),
                None => c.known_ints(b, "shape", 1)?,
            };
            let target = target.ok_or_else(|| b.error("has no shape"))?;
            let target = reshape::fill(&target, size(&shape));
            let target = target.ok_or_else(|| b.error(format!("cannot reshape {shape:?}")))?;
            b.reshape(x, target)?
        }
        "Rearrange" => {
            let pattern = c.text("pattern", 1).and_then(Rearrangement::parse);
            let pattern = pattern.ok_or_else(|| b.error("has no pattern that fits"))?;
            let given = |name: &str| c.int(name, usize::MAX).and_then(|n| usize::try_from(n).ok());
            let dims: Vec<Option<usize>> = shape.iter().copied().map(Some).collect();
            let wrong = || b.error(format!("the pattern does not fit {shape:?}"));
            let split = pattern.split(&dims, &given).ok_or_else(wrong)?;
            let known = |dims: &[Option<usize>]| dims.iter().copied().collect::<Option<Vec<_>>>();
            let (from, to) = (known(&split), known(&pattern.join(&split)));
            let (Some(from), Some(to)) = (from, to) else { return Err(wrong()) };
            let y = b.reshape(x, from)?;
            let y = b.transpose(y, pattern.order())?;
            b.reshape(y, to)?
        }
        "Ravel" => b.reshape(x, [size(&shape)])?,
        "ExpandDims" => {
            let mut y = x;
            let mut axes = c.ints("axis", 1).unwrap_or_default();
            let rank = (shape.len() + axes.len()) as i64;
            axes.iter_mut().for_each(|a| *a = if *a < 0 { *a + rank } else { *a });
            axes.sort_unstable();
            for axis in axes {
                y = b.expand(y, usize::try_from(axis).unwrap_or(0))?;
            }
            y
        }
        "Squeeze" => {
            let axes = match c.ints("axis", 1) {
                Some(axes) => b.axes(x, &axes)?,
                None => (0..shape.len()).filter(|i| shape.get(*i) == Some(&1)).collect(),
            };
            let dims = shape.iter().enumerate().filter(|(i, _)| !axes.contains(i));
            b.reshape(x, dims.map(|(_, n)| *n).collect::<Vec<_>>())?
        }
        "Transpose" => {
            let axes = match c.ints("axes", 1) {
                Some(axes) => b.axes(x, &axes)?,
                None => (0..shape.len()).rev().collect(),
            };
            b.transpose(x, axes)?
        }
        "Swapaxes" => {
            let (i, j) = (c.int("axis1", 1).unwrap_or(0), c.int("axis2", 2).unwrap_or(1));
            let (i, j) = (b.axis(x, i)?, b.axis(x, j)?);
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            axes.swap(i, j);
            b.transpose(x, axes)?
        }
        "Moveaxis" => {
            let from = b.axes(x, &c.ints("source", 1).unwrap_or_default())?;
            let to = b.axes(x, &c.ints("destination", 2).unwrap_or_default())?;
            let mut pairs: Vec<(usize, usize)> = to.into_iter().zip(from.iter().copied()).collect();
            pairs.sort_unstable();
            let mut axes: Vec<usize> = (0..shape.len()).filter(|a| !from.contains(a)).collect();
            for (to, from) in pairs {
                axes.insert(to.min(axes.len()), from);
            }
            b.transpose(x, axes)?
        }
        "Concatenate" => {
            let all = c.list(b)?;
            concatenate::concatenate(b, &all, c.int("axis", 1).unwrap_or(0))?
        }
        "Append" => match c.int("axis", 2) {
            Some(axis) => concatenate::concatenate(b, &tensors, axis)?,
            None => {
                let flat = flat(b, &tensors)?;
                concatenate::concatenate(b, &flat, 0)?
            }
        },
        "Stack" => {
            let all = c.list(b)?;
            let rank = shape.len() as i64 + 1;
            let axis = c.int("axis", 1).unwrap_or(0);
            let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).unwrap_or(0);
            let all = common(b, &all)?;
            let all: Vec<Value> = all.iter().map(|v| b.expand(*v, axis)).collect::<Result<_>>()?;
            b.concat(&all, axis)?
        }
        "Hstack" => {
            let axis = i64::from(shape.len() > 1);
            concatenate::concatenate(b, &tensors, axis)?
        }
        "Vstack" | "Dstack" => {
            let rank = if name == "Vstack" { 2 } else { 3 };
            let mut all = Vec::new();
            for v in &tensors {
                let mut shape = b.shape(*v).to_vec();
                while shape.len() < rank {
                    let front = shape.len() < 2;
                    shape.insert(if front { 0 } else { shape.len() }, 1);
                }
                all.push(b.reshape(*v, shape)?);
            }
            concatenate::concatenate(b, &all, if name == "Vstack" { 0 } else { 2 })?
        }
        "Split" | "ArraySplit" | "Hsplit" | "Vsplit" | "Dsplit" => {
            return split(c, name, b, x).map(Some);
        }
        "Unstack" => {
            let axis = c.axis(b, x, 2, 0)?;
            let n = shape.get(axis).copied().unwrap_or(0);
            let parts = (0..n).map(|i| b.at(x, axis, i));
            return parts.collect::<Result<_>>().map(Some);
        }
        "Flip" | "Fliplr" | "Flipud" => {
            let axes = match name {
                "Fliplr" => vec![1],
                "Flipud" => vec![0],
                _ => c.axes(b, x, 1)?,
            };
            let mut y = x;
            for axis in axes {
                y = b.flip(y, axis)?;
            }
            y
        }
        "Roll" => {
            let shifts = c.ints("shift", 1).unwrap_or_default();
            match c.ints("axis", 2) {
                Some(axes) => {
                    let mut y = x;
                    for (axis, shift) in b.axes(x, &axes)?.into_iter().zip(shifts) {
                        y = roll(b, y, axis, shift)?;
                    }
                    y
                }
                None => {
                    let y = b.reshape(x, [size(&shape)])?;
                    let y = roll(b, y, 0, shifts.iter().sum())?;
                    b.reshape(y, shape)?
                }
            }
        }
        "Rot90" => {
            let axes = c.ints("axes", 2).unwrap_or_else(|| vec![0, 1]);
            let &[i, j] = b.axes(x, &axes)?.as_slice() else {
                return Err(b.error("takes two axes"));
            };
            let mut y = x;
            for _ in 0..c.int("k", 1).unwrap_or(1).rem_euclid(4) {
                let mut axes: Vec<usize> = (0..shape.len()).collect();
                axes.swap(i, j);
                y = b.flip(y, j)?;
                y = b.transpose(y, axes)?;
            }
            y
        }
        "Repeat" => {
            let repeats = c.known_ints(b, "repeats", 1)?.unwrap_or_else(|| vec![1]);
            let (x, axis) = match c.int("axis", 2) {
                Some(axis) => (x, b.axis(x, axis)?),
                None => (b.reshape(x, [size(&shape)])?, 0),
            };
            match repeats.as_slice() {
                [one] => up_sampling::repeat(b, x, axis, usize::try_from(*one).unwrap_or(0))?,
                many => {
                    let sum = many.iter().filter_map(|n| usize::try_from(*n).ok());
                    let sum = sum.fold(0, usize::saturating_add);
                    b.check_value("repeats", &[sum], DType::Int64)?;
                    let times = many.iter().enumerate();
                    let all = times.flat_map(|(i, n)| {
                        std::iter::repeat_n(i, usize::try_from(*n).unwrap_or(0))
                    });
                    let indices = b.indices(all)?;
                    b.gather(x, indices, axis)?
                }
            }
        }
        "Tile" => {
            let repeats = c.known_ints(b, "repeats", 1)?.unwrap_or_default();
            let x = c.operand(b, &["x"], 0, None)?.unwrap_or(x);
            let shape = b.shape(x).to_vec();
            let rank = shape.len().max(repeats.len());
            let mut y = b.reshape(x, [&vec![1; rank - shape.len()][..], &shape].concat())?;
            for (i, n) in repeats.iter().rev().enumerate() {
                let axis = rank - 1 - i;
                let single = b.expand(y, axis)?;
                let mut shape = b.shape(single).to_vec();
                if let Some(dim) = shape.get_mut(axis) {
                    *dim = usize::try_from(*n).unwrap_or(0);
                }
                let wide = b.broadcast_to(single, shape)?;
                let mut shape = b.shape(wide).to_vec();
                let n = shape.remove(axis);
                if let Some(dim) = shape.get_mut(axis) {
                    *dim *= n;
                }
                y = b.reshape(wide, shape)?;
            }
            y
        }
        "BroadcastTo" => {
            let target = c.known_ints(b, "shape", 1)?.unwrap_or_default();
            let skip = target.len().saturating_sub(shape.len());
            let own = |i: usize| i.checked_sub(skip).and_then(|i| shape.get(i).copied());
            let target = target.iter().enumerate();
            let target: Vec<usize> = target
                .map(|(i, n)| usize::try_from(*n).unwrap_or_else(|_| own(i).unwrap_or(1)))
                .collect();
            b.broadcast_to(x, target)?
        }
        "Pad" => {
            let borders = borders(c, shape.len());
            let borders = borders.ok_or_else(|| b.unsupported("this pad_width"))?;
            let mode = match c.text("mode", 2).unwrap_or("constant") {
                "constant" => PadMode::Constant(c.float("constant_values", 3).unwrap_or(0.0)),
                "edge" => PadMode::Edge,
                "reflect" => PadMode::Reflect,
                "symmetric" => PadMode::Symmetric,
                "wrap" => PadMode::Wrap,
                other => return Err(b.unsupported(format!("pad mode {other:?}"))),
            };
            b.pad(x, &borders, mode)?
        }
        "DepthToSpace" | "SpaceToDepth" => depth(c, name, b, x)?,
        "CropImages" | "PadImages" => images(c, name, b, x)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

fn flat(b: &mut Builder<'_>, tensors: &[Value]) -> Result<Vec<Value>> {
    tensors.iter().map(|v| b.reshape(*v, [size(b.shape(*v))])).collect()
}

pub(in crate::lower) fn roll(
    b: &mut Builder<'_>,
    x: Value,
    axis: usize,
    shift: i64,
) -> Result<Value> {
    let n = b.shape(x).get(axis).copied().unwrap_or(0);
    if n == 0 {
        return Ok(x);
    }
    let cut = n - shift.rem_euclid(n as i64) as usize;
    let (front, back) = (b.slice(x, axis, 0, cut)?, b.slice(x, axis, cut, n)?);
    b.concat(&[back, front], axis)
}

fn split(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Vec<Value>> {
    let axis = match name {
        "Hsplit" if b.rank(x) == 1 => 0,
        "Hsplit" => 1,
        "Vsplit" => 0,
        "Dsplit" => 2,
        _ => c.axis(b, x, 2, 0)?,
    };
    let n = b.shape(x).get(axis).copied().unwrap_or(0);
    let given = c.plain("indices_or_sections", 1).or_else(|| c.plain("num_or_size_splits", 1));
    let is_list = given.is_some_and(serde_json::Value::is_array)
        || matches!(c.call.inputs.named("indices_or_sections", 1), Some(keras_model::Arg::List(_)));
    let numbers = c.ints("indices_or_sections", 1).unwrap_or_default();
    let numbers: Vec<usize> =
        numbers.iter().map(|i| (if *i < 0 { *i + n as i64 } else { *i }).max(0) as usize).collect();
    let mut ends: Vec<usize> = if is_list || numbers.len() != 1 {
        numbers.into_iter().map(|i| i.min(n)).collect()
    } else {
        let sections = numbers.first().copied().unwrap_or(1).max(1);
        let (each, longer) = (n / sections, n % sections);
        (1..sections).map(|i| i * each + i.min(longer)).collect()
    };
    ends.push(n);
    let mut start = 0;
    let mut parts = Vec::with_capacity(ends.len());
    for end in ends {
        parts.push(b.slice(x, axis, start, end.max(start))?);
        start = end;
    }
    Ok(parts)
}

fn borders(c: &OpCall<'_>, rank: usize) -> Option<Vec<(usize, usize)>> {
    let number = |v: &serde_json::Value| v.as_u64().map(|n| n as usize);
    let value = c.json("pad_width", 1)?;
    let pair = |v: &serde_json::Value| match v {
        serde_json::Value::Array(items) => match items.as_slice() {
            [one] => Some((number(one)?, number(one)?)),
            [a, b] => Some((number(a)?, number(b)?)),
            _ => None,
        },
        other => Some((number(other)?, number(other)?)),
    };
    match &value {
        serde_json::Value::Array(items) if items.iter().any(serde_json::Value::is_array) => {
            let all: Vec<(usize, usize)> = items.iter().map(pair).collect::<Option<_>>()?;
            match all.as_slice() {
                [one] => Some(vec![*one; rank]),
                all => (all.len() == rank).then(|| all.to_vec()),
            }
        }
        other => pair(other).map(|p| vec![p; rank]),
    }
}

fn depth(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let first = c.text("data_format", 2) == Some("channels_first");
    let x = if first { b.move_axis(x, 1, 3)? } else { x };
    let k = c.int("block_size", 1).and_then(|k| usize::try_from(k).ok()).unwrap_or(1).max(1);
    let &[n, h, w, d] = b.shape(x) else { return Err(b.error("takes images")) };
    if k > h.max(w).max(d) {
        return Err(b.error(format!("no blocks of {k} in shape {:?}", b.shape(x))));
    }
    let y = if name == "DepthToSpace" {
        let split = b.reshape(x, [n, h, w, k, k, d / (k * k)])?;
        let moved = b.transpose(split, [0, 1, 3, 2, 4, 5])?;
        b.reshape(moved, [n, h * k, w * k, d / (k * k)])?
    } else {
        let split = b.reshape(x, [n, h / k, k, w / k, k, d])?;
        let moved = b.transpose(split, [0, 1, 3, 2, 4, 5])?;
        b.reshape(moved, [n, h / k, w / k, k * k * d])?
    };
    if first { b.move_axis(y, 3, 1) } else { Ok(y) }
}

/// `crop_images`, `pad_images`: what two of three numbers say about each axis.
fn images(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let first = c.text("data_format", usize::MAX) == Some("channels_first");
    let axis = b.rank(x).saturating_sub(if first { 2 } else { 3 });
    let crop = name == "CropImages";
    let suffix = if crop { "cropping" } else { "padding" };
    let mut y = x;
    let sides = [("top", "bottom", "target_height"), ("left", "right", "target_width")];
    for (i, (before, after, target)) in sides.into_iter().enumerate() {
        let n = b.shape(x).get(axis + i).copied().unwrap_or(0);
        let get = |side: &str| {
            let value = c.int(&format!("{side}_{suffix}"), usize::MAX);
            value.and_then(|v| usize::try_from(v).ok())
        };
        let (mut start, mut end) = (get(before), get(after));
        if let Some(target) = c.int(target, usize::MAX).and_then(|t| usize::try_from(t).ok()) {
            let all = n.abs_diff(target);
            match (start, end) {
                (None, Some(end)) => start = Some(all.saturating_sub(end)),
                (Some(start), None) => end = Some(all.saturating_sub(start)),
                _ => {}
            }
        }
        let (start, end) = (start.unwrap_or(0), end.unwrap_or(0));
        if crop {
            let stop = n.checked_sub(end).filter(|stop| *stop >= start);
            let stop = stop.ok_or_else(|| b.error("crops more than there is"))?;
            y = b.slice(y, axis + i, start, stop)?;
        } else {
            let mut borders = vec![(0, 0); b.rank(y)];
            if let Some(border) = borders.get_mut(axis + i) {
                *border = (start, end);
            }
            y = b.pad(y, &borders, PadMode::Constant(0.0))?;
        }
    }
    Ok(y)
}
