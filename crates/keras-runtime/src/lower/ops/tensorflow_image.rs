//! Functions of `tf.image` and `tf.signal` in files of `tf.keras` that `keras.ops` has not. Source:
//! `tensorflow/python/ops/image_ops_impl.py` and `signal/`, TensorFlow 2.21.

use std::f64::consts::PI;

use keras_model::DType;

use super::image::{to_hsv, to_rgb};
use super::{arrays, signal};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::OpCall;
use crate::lower::resize;
use crate::ops::{Arithmetic, Connective, Function, PadMode, Relation, size};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "ConvertImageDtype" => {
            let x = c.x(b)?;
            let dtype = c.dtype("dtype", 1).ok_or_else(|| b.error("has no dtype"))?;
            converted(b, x, dtype, c.flag("saturate", 2))?
        }
        "AdjustBrightness" | "AdjustContrast" | "AdjustGamma" | "AdjustSaturation"
        | "AdjustHue" => adjusted(c, name, b)?,
        "StandardizeImages" => {
            let x = c.x(b)?;
            let dtype = if b.dtype(x).is_float() { b.dtype(x) } else { DType::Float32 };
            let x = b.cast(x, dtype)?;
            let axes = b.axes(x, &[-3, -2, -1])?;
            let count: usize = axes.iter().filter_map(|a| b.shape(x).get(*a)).product();
            let (mean, variance) = (b.mean(x, &axes, true)?, b.variance(x, &axes, true)?);
            let deviation = b.unary(Function::Sqrt, variance)?;
            let least = 1.0 / (count as f64).sqrt();
            let deviation = b.with_number(Arithmetic::Max, deviation, least)?;
            let centred = b.sub(x, mean)?;
            b.div(centred, deviation)?
        }
        "CentralCrop" => {
            let x = c.x(b)?;
            let share = c.float("central_fraction", 1).unwrap_or(1.0).clamp(0.0, 1.0);
            let axes = b.axes(x, &[-3, -2])?;
            axes.into_iter().try_fold(x, |x, axis| {
                let n = b.dim(x, axis as i64)?;
                let start = ((n as f64 - n as f64 * share) / 2.0) as usize;
                b.slice(x, axis, start, n.saturating_sub(start))
            })?
        }
        "ResizeWithCropOrPad" => {
            let x = c.x(b)?;
            let to = target(c, b)?;
            let axes = b.axes(x, &[-3, -2])?;
            axes.into_iter().zip(to).try_fold(x, |x, (axis, to)| {
                let n = b.dim(x, axis as i64)?;
                if to <= n {
                    let start = (n - to) / 2;
                    return b.slice(x, axis, start, start + to);
                }
                bordered(b, x, axis, (to - n) / 2, to)
            })?
        }
        "ResizeWithPad" => resized_with_pad(c, b)?,
        "CropAndResize" => crop_and_resize(c, b)?,
        "ImagePSNR" => {
            let [x, y] = c.pair(b)?;
            let squares = b.binary(Arithmetic::SquaredDifference, x, y)?;
            let axes = b.axes(squares, &[-3, -2, -1])?;
            let error = b.mean(squares, &axes, false)?;
            let decibel = b.unary(Function::Log10, error)?;
            let decibel = b.scale(decibel, -10.0)?;
            let most = c.float("max_val", 2).unwrap_or(1.0);
            b.with_number(Arithmetic::Add, decibel, 20.0 * most.log10())?
        }
        "Frames" => {
            let x = c.x(b)?;
            let number = |name: &str, at: usize| {
                let n = c.int(name, at).and_then(|n| usize::try_from(n).ok());
                n.filter(|n| *n > 0).ok_or_else(|| b.error(format!("has no {name}")))
            };
            let (length, step) = (number("frame_length", 1)?, number("frame_step", 2)?);
            let value = c.float("pad_value", usize::MAX).unwrap_or(0.0);
            let x = if c.flag("pad_end", 3) {
                signal::filled_end(b, x, length, step, value)?
            } else {
                x
            };
            signal::frames(b, x, length, step)?
        }
        "Dct" => {
            let x = c.x(b)?;
            let n = b.dim(x, -1)?;
            let is_ortho = c.text("norm", usize::MAX) == Some("ortho");
            let matrix = b.table([n, n], b.dtype(x), || {
                let wave = |i: usize, k: usize| {
                    let scale = match (is_ortho, k) {
                        (false, _) => 2.0,
                        (true, 0) => (1.0 / n as f64).sqrt(),
                        (true, _) => (2.0 / n as f64).sqrt(),
                    };
                    scale * (PI * (2 * i + 1) as f64 * k as f64 / (2 * n) as f64).cos()
                };
                (0..n).flat_map(|i| (0..n).map(move |k| wave(i, k))).collect()
            })?;
            super::linalg::matmul(b, x, matrix)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

fn target(c: &OpCall<'_>, b: &Builder<'_>) -> Result<[usize; 2]> {
    let one = |name: &str, at: usize| {
        let length = c.known_lengths(b, name, at)?.first().copied();
        length.ok_or_else(|| b.error(format!("has no {name}")))
    };
    Ok([one("target_height", 1)?, one("target_width", 2)?])
}

/// Zeros before and behind along an axis, up to a length.
fn bordered(b: &mut Builder<'_>, x: Value, axis: usize, start: usize, to: usize) -> Result<Value> {
    let mut borders = vec![(0, 0); b.rank(x)];
    let n = b.dim(x, axis as i64)?;
    if let Some(border) = borders.get_mut(axis) {
        *border = (start, to.saturating_sub(n).saturating_sub(start));
    }
    b.pad(x, &borders, PadMode::Constant(0.0))
}

/// The largest number of an integer type; 1 for floats.
fn most(dtype: DType) -> f64 {
    match dtype {
        DType::UInt8 => u8::MAX.into(),
        DType::UInt16 => u16::MAX.into(),
        DType::UInt32 => u32::MAX.into(),
        DType::UInt64 => u64::MAX as f64,
        DType::Int8 => i8::MAX.into(),
        DType::Int16 => i16::MAX.into(),
        DType::Int32 => i32::MAX.into(),
        DType::Int64 => i64::MAX as f64,
        _ => 1.0,
    }
}

/// Floats are from 0 to 1, integers from 0 to the largest of their type.
fn converted(b: &mut Builder<'_>, x: Value, dtype: DType, saturate: bool) -> Result<Value> {
    match (b.dtype(x).is_float(), dtype.is_float()) {
        _ if b.dtype(x) == dtype => Ok(x),
        (true, true) => b.cast(x, dtype),
        (true, false) => {
            let x = b.scale(x, most(dtype) + 0.5)?;
            if saturate { arrays::saturated(b, x, dtype) } else { b.cast(x, dtype) }
        }
        (false, true) => {
            let scale = 1.0 / most(b.dtype(x));
            let x = b.cast(x, dtype)?;
            b.scale(x, scale)
        }
        (false, false) => Err(b.unsupported("images from one integer type to another")),
    }
}

fn adjusted(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>) -> Result<Value> {
    let given = c.x(b)?;
    let dtype = b.dtype(given);
    let number = |name: &str, at: usize| {
        c.float(name, at).ok_or_else(|| b.error(format!("has no number {name}")))
    };
    let (amount, more) = match name {
        "AdjustBrightness" | "AdjustHue" => (number("delta", 1)?, 0.0),
        "AdjustContrast" => (number("contrast_factor", 1)?, 0.0),
        "AdjustSaturation" => (number("saturation_factor", 1)?, 0.0),
        _ => (number("gamma", 1)?, number("gain", 2)?),
    };
    let x = if dtype.is_float() { given } else { converted(b, given, DType::Float32, false)? };
    let y = match name {
        "AdjustBrightness" => b.with_number(Arithmetic::Add, x, amount)?,
        "AdjustGamma" => {
            let power = b.with_number(Arithmetic::Pow, x, amount)?;
            b.scale(power, more)?
        }
        "AdjustContrast" => {
            let axes = b.axes(x, &[-3, -2])?;
            let mean = b.mean(x, &axes, true)?;
            let centred = b.sub(x, mean)?;
            let centred = b.scale(centred, amount)?;
            b.add(centred, mean)?
        }
        _ => {
            let last = b.axis(x, -1)?;
            let [red, green, blue] = [0, 1, 2].map(|i| b.slice(x, last, i, i + 1));
            let [mut hue, mut saturation, value] = to_hsv(b, [red?, green?, blue?])?;
            if name == "AdjustHue" {
                hue = b.with_number(Arithmetic::Add, hue, amount)?;
                hue = b.with_number(Arithmetic::Mod, hue, 1.0)?;
            } else {
                saturation = b.scale(saturation, amount)?;
                saturation = b.unary(Function::Clip(0.0, 1.0), saturation)?;
            }
            let parts = to_rgb(b, [hue, saturation, value])?;
            b.concat(&parts, last)?
        }
    };
    if dtype.is_float() { Ok(y) } else { converted(b, y, dtype, true) }
}

/// Resized with its proportions, the rest of the target zeros.
fn resized_with_pad(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let to = target(c, b)?;
    let how = c.text("method", usize::MAX).unwrap_or("bilinear");
    let how = resize::interpolation(how)
        .ok_or_else(|| b.unsupported(format!("interpolation {how:?}")))?;
    let axes = b.axes(x, &[-3, -2])?;
    let lengths: Vec<usize> = axes.iter().filter_map(|a| b.shape(x).get(*a).copied()).collect();
    let shares = lengths.iter().zip(to).map(|(n, to)| *n as f32 / to.max(1) as f32);
    let ratio = shares.fold(0.0, f32::max);
    let mut y = x;
    for ((axis, n), to) in axes.into_iter().zip(lengths).zip(to) {
        let wanted = n as f32 / ratio;
        let start = ((to as f32 - wanted) / 2.0).floor().max(0.0) as usize;
        let antialias = c.flag("antialias", usize::MAX);
        y = resize::axis(b, y, axis, (wanted as usize).min(to), how, antialias)?;
        y = bordered(b, y, axis, start, to)?;
    }
    Ok(y)
}

/// Pieces of images, each in the same size: `boxes [n, 4]` of the images at `box_indices [n]`.
fn crop_and_resize(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let x = c.x(b)?;
    let boxes = c.operand(b, &["boxes"], 1, None)?.ok_or_else(|| b.error("has no boxes"))?;
    let of = c.operand(b, &["box_indices"], 2, None)?;
    let of = of.ok_or_else(|| b.error("has no box_indices"))?;
    let to = c.known_lengths(b, "crop_size", 3)?;
    let is_nearest = c.text("method", 4) == Some("nearest");
    let (&[images, rows, columns, channels], &[down, across]) = (b.shape(x), to.as_slice()) else {
        return Err(b.error("takes images and two numbers as crop_size"));
    };
    let count = b.dim(boxes, 0)?;
    let x = b.cast(x, DType::Float32)?;
    let boxes = b.cast(boxes, DType::Float32)?;
    // Of each axis: the place below and above, the share of the one above, and what is inside.
    let places = |b: &mut Builder<'_>, first: usize, n: usize, to: usize| {
        let (low, high) =
            (b.slice(boxes, 1, first, first + 1)?, b.slice(boxes, 1, first + 2, first + 3)?);
        let last = n as f64 - 1.0;
        let place = if to > 1 {
            let width = b.sub(high, low)?;
            let width = b.scale(width, last)?;
            let width = b.with_number(Arithmetic::Div, width, to as f64 - 1.0)?;
            let steps = b.table([1, to], DType::Float32, || (0..to).map(|i| i as f64).collect())?;
            let inner = b.mul(width, steps)?;
            let start = b.scale(low, last)?;
            b.add(start, inner)?
        } else {
            let sum = b.add(low, high)?;
            b.scale(sum, 0.5 * last)?
        };
        let above = b.compare_number(Relation::GreaterEqual, place, 0.0)?;
        let below = b.compare_number(Relation::LessEqual, place, last)?;
        let inside = b.logic(Connective::And, above, below)?;
        let place = b.unary(Function::Clip(0.0, last), place)?;
        if is_nearest {
            let half = b.with_number(Arithmetic::Add, place, 0.5)?;
            let nearest = b.unary(Function::Floor, half)?;
            return Ok::<_, crate::Error>((nearest, nearest, None, inside));
        }
        let (floor, ceil) = (b.unary(Function::Floor, place)?, b.unary(Function::Ceil, place)?);
        let share = b.sub(place, floor)?;
        Ok((floor, ceil, Some(share), inside))
    };
    let (top, bottom, down_share, in_rows) = places(b, 0, rows, down)?;
    let (left, right, across_share, in_columns) = places(b, 1, columns, across)?;
    let flat = b.reshape(x, [size(&[images, rows, columns]), channels])?;
    let start = b.cast(of, DType::Int64)?;
    let start = b.scale(start, (rows * columns) as f64)?;
    let start = b.reshape(start, [count, 1, 1])?;
    let wide = [count, down, 1];
    let corner = |b: &mut Builder<'_>, row: Value, column: Value| {
        let row = b.cast(row, DType::Int64)?;
        let row = b.scale(row, columns as f64)?;
        let (row, column) = (b.reshape(row, wide)?, b.cast(column, DType::Int64)?);
        let column = b.expand(column, 1)?;
        let at = b.add(row, column)?;
        let at = b.add(at, start)?;
        b.gather(flat, at, 0)
    };
    let between = |b: &mut Builder<'_>, low: Value, high: Value, share: Value| {
        let distance = b.sub(high, low)?;
        let part = b.mul(distance, share)?;
        b.add(low, part)
    };
    let mut y = corner(b, top, left)?;
    if let (Some(down_share), Some(across_share)) = (down_share, across_share) {
        let across_share = b.reshape(across_share, [count, 1, across, 1])?;
        let down_share = b.reshape(down_share, [count, down, 1, 1])?;
        let beside = corner(b, top, right)?;
        let upper = between(b, y, beside, across_share)?;
        let (low, beside) = (corner(b, bottom, left)?, corner(b, bottom, right)?);
        let lower = between(b, low, beside, across_share)?;
        y = between(b, upper, lower, down_share)?;
    }
    let (in_rows, in_columns) = (b.reshape(in_rows, wide)?, b.expand(in_columns, 1)?);
    let inside = b.logic(Connective::And, in_rows, in_columns)?;
    let inside = b.expand(inside, 3)?;
    let outside = c.float("extrapolation_value", usize::MAX).unwrap_or(0.0);
    let outside = b.scalar(outside, DType::Float32)?;
    b.select(inside, y, outside)
}
