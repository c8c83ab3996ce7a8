//! Operations on images: `keras/src/ops/image.py`, and its implementation for TensorFlow.

use keras_model::DType;
use keras_model::layers::spatial::Padding;

use super::linalg::matmul;
use super::nn::{is_first, sizes};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::OpCall;
use crate::lower::spatial;
use crate::ops::{
    Arithmetic, Connective, Depthwise, Function, PadMode, Reduction, Relation, Solve, size, strides,
};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let Some(x) = c.call.tensors().first().copied() else { return Ok(None) };
    let y = match name {
        "RGBToGrayscale" => {
            let axis = if is_first(c) { b.rank(x).saturating_sub(3) } else { b.axis(x, -1)? };
            let mut shape = vec![1; b.rank(x)];
            if let Some(dim) = shape.get_mut(axis) {
                *dim = 3;
            }
            let weights = b.numbers(shape, vec![0.2989, 0.587, 0.114], b.dtype(x))?;
            let weighted = b.mul(x, weights)?;
            b.sum(weighted, &[axis], true)?
        }
        "RGBToHSV" => colours(c, b, x, to_hsv)?,
        "HSVToRGB" => {
            let y = colours(c, b, x, to_rgb)?;
            // TensorFlow's has no gradient.
            b.stop_gradient(y)?
        }
        "GaussianBlur" => {
            let size = sizes(c, "kernel_size", 1, 2).unwrap_or_else(|| vec![3, 3]);
            let sigma = floats(c, "sigma").unwrap_or_else(|| vec![1.0, 1.0]);
            let (&[across, down], &[wide, high]) = (size.as_slice(), sigma.as_slice()) else {
                return Err(b.error("kernel_size and sigma are two numbers"));
            };
            b.check_value("kernel", &[across, down], DType::Float64)?;
            // TensorFlow's backend lays the bells across each other the other way round.
            let kernel = product(&bell(down, high), &bell(across, wide));
            let sizes = [across, down];
            images(c, b, x, |b, x| filtered(b, x, sizes, &kernel, Padding::Same))?
        }
        "SobelEdges" => images(c, b, x, sobel)?,
        "SSIM" => similarity(c, b)?,
        "MapCoordinates" => {
            let places = c.operand(b, &["coordinates"], 1, None)?;
            let places = places.ok_or_else(|| b.error("has no coordinates"))?;
            map_coordinates(c, b, x, places)?
        }
        "ElasticTransform" => images(c, b, x, |b, x| elastic(c, b, x))?,
        "AffineTransform" => {
            let transform = c.operand(b, &["transform"], 1, None)?;
            let transform = transform.ok_or_else(|| b.error("has no transform"))?;
            let fill = c.text("fill_mode", 3).unwrap_or("constant");
            images(c, b, x, |b, x| project(b, x, transform, &Projection::of(c, fill)))?
        }
        "PerspectiveTransform" => {
            let points = |b: &mut Builder<'_>, name: &str, at: usize| {
                let points = c.operand(b, &[name], at, None)?;
                let points = points.ok_or_else(|| b.error(format!("has no {name}")))?;
                let points = b.cast(points, DType::Float32)?;
                if b.rank(points) == 2 { b.expand(points, 0) } else { Ok(points) }
            };
            let (start, end) = (points(b, "start_points", 1)?, points(b, "end_points", 2)?);
            let transform = homography(b, start, end)?;
            images(c, b, x, |b, x| project(b, x, transform, &Projection::of(c, "constant")))?
        }
        "ScaleAndTranslate" => scale_and_translate(c, b, x)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

fn floats(c: &OpCall<'_>, name: &str) -> Option<Vec<f64>> {
    let values = c.plain(name, usize::MAX)?;
    let (_, mut values) = crate::lower::rescaling::nested(values)?;
    if let [one] = values.as_slice() {
        values.push(*one);
    }
    Some(values)
}

/// Runs on a batch with channels last, whatever the images are.
fn images(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    x: Value,
    f: impl FnOnce(&mut Builder<'_>, Value) -> Result<Value>,
) -> Result<Value> {
    let is_one = b.rank(x) == 3;
    let x = if is_one { b.expand(x, 0)? } else { x };
    let x = if is_first(c) { b.move_axis(x, 1, 3)? } else { x };
    let y = f(b, x)?;
    let y = if is_first(c) { b.move_axis(y, 3, 1)? } else { y };
    if is_one { b.at(y, 0, 0) } else { Ok(y) }
}

/// Runs on the three channels as tensors of their own.
fn colours(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    x: Value,
    f: fn(&mut Builder<'_>, [Value; 3]) -> Result<[Value; 3]>,
) -> Result<Value> {
    let axis = if is_first(c) { b.rank(x).saturating_sub(3) } else { b.axis(x, -1)? };
    let parts = [0, 1, 2].map(|i| b.slice(x, axis, i, i + 1));
    let [red, green, blue] = parts;
    let parts = f(b, [red?, green?, blue?])?;
    b.concat(&parts, axis)
}

/// Hue, saturation and value: `tf.image.rgb_to_hsv`.
pub(in crate::lower) fn to_hsv(
    b: &mut Builder<'_>,
    [red, green, blue]: [Value; 3],
) -> Result<[Value; 3]> {
    let high = b.binary(Arithmetic::Max, red, green)?;
    let high = b.binary(Arithmetic::Max, high, blue)?;
    let low = b.binary(Arithmetic::Min, red, green)?;
    let low = b.binary(Arithmetic::Min, low, blue)?;
    let range = b.sub(high, low)?;
    let saturation = b.binary(Arithmetic::DivNoNan, range, high)?;
    let sixth = |b: &mut Builder<'_>, from: Value, to: Value, turn: f64| {
        let distance = b.sub(from, to)?;
        let share = b.binary(Arithmetic::DivNoNan, distance, range)?;
        let share = b.scale(share, 1.0 / 6.0)?;
        b.with_number(Arithmetic::Add, share, turn)
    };
    let of_red = sixth(b, green, blue, 0.0)?;
    let of_green = sixth(b, blue, red, 2.0 / 6.0)?;
    let of_blue = sixth(b, red, green, 4.0 / 6.0)?;
    let is_green = b.compare(Relation::Equal, green, high)?;
    let hue = b.select(is_green, of_green, of_blue)?;
    let is_red = b.compare(Relation::Equal, red, high)?;
    let hue = b.select(is_red, of_red, hue)?;
    let is_grey = b.compare_number(Relation::LessEqual, range, 0.0)?;
    let zero = b.scalar(0.0, b.dtype(hue))?;
    let hue = b.select(is_grey, zero, hue)?;
    let below = b.compare_number(Relation::Less, hue, 0.0)?;
    let turned = b.with_number(Arithmetic::Add, hue, 1.0)?;
    Ok([b.select(below, turned, hue)?, saturation, high])
}

/// The reverse: `tf.image.hsv_to_rgb`.
pub(in crate::lower) fn to_rgb(
    b: &mut Builder<'_>,
    [hue, saturation, value]: [Value; 3],
) -> Result<[Value; 3]> {
    let sixths = b.scale(hue, 6.0)?;
    // Each colour is a ramp between 0 and 1, at another place of the circle.
    let ramp = |b: &mut Builder<'_>, place: f64, slope: f64, start: f64| {
        let distance = b.with_number(Arithmetic::Sub, sixths, place)?;
        let distance = b.unary(Function::Abs, distance)?;
        let line = b.scale(distance, slope)?;
        let line = b.with_number(Arithmetic::Add, line, start)?;
        let line = b.with_number(Arithmetic::Max, line, 0.0)?;
        let line = b.with_number(Arithmetic::Min, line, 1.0)?;
        // (1 - saturation) + saturation · ramp, times the value.
        let inner = b.with_number(Arithmetic::Sub, line, 1.0)?;
        let inner = b.mul(inner, saturation)?;
        let inner = b.with_number(Arithmetic::Add, inner, 1.0)?;
        b.mul(inner, value)
    };
    Ok([ramp(b, 3.0, 1.0, -1.0)?, ramp(b, 2.0, -1.0, 2.0)?, ramp(b, 4.0, -1.0, 2.0)?])
}

/// Gauss's bell at so many places, its sum 1.
fn bell(n: usize, sigma: f64) -> Vec<f64> {
    let middle = (n as f64 - 1.0) / 2.0;
    let all: Vec<f64> =
        (0..n).map(|i| (-0.5 * ((i as f64 - middle) / sigma).powi(2)).exp()).collect();
    let sum: f64 = all.iter().sum();
    all.into_iter().map(|v| v / sum).collect()
}

/// Each number of one row times each of another.
fn product(rows: &[f64], columns: &[f64]) -> Vec<f64> {
    rows.iter().flat_map(|r| columns.iter().map(move |c| r * c)).collect()
}

/// Every channel by itself, with one kernel of these sizes.
pub(in crate::lower) fn filtered(
    b: &mut Builder<'_>,
    x: Value,
    sizes: [usize; 2],
    kernel: &[f64],
    padding: Padding,
) -> Result<Value> {
    let channels = b.dim(x, -1)?;
    let kernel = b.table([sizes[0], sizes[1], channels, 1], b.dtype(x), || {
        kernel.iter().flat_map(|k| std::iter::repeat_n(*k, channels)).collect()
    })?;
    let window = spatial::window(b, x, &sizes, &[1, 1], &[1, 1], padding)?;
    b.op(Depthwise::new(window), &[x, kernel])
}

/// Slopes down and across, in a new last axis: `tf.image.sobel_edges`.
fn sobel(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let x = b.pad(x, &[(0, 0), (1, 1), (1, 1), (0, 0)], PadMode::Reflect)?;
    let (slope, bump) = ([-1.0, 0.0, 1.0], [1.0, 2.0, 1.0]);
    let down = filtered(b, x, [3, 3], &product(&slope, &bump), Padding::Valid)?;
    let across = filtered(b, x, [3, 3], &product(&bump, &slope), Padding::Valid)?;
    let (down, across) = (b.expand(down, 4)?, b.expand(across, 4)?);
    b.concat(&[down, across], 4)
}

fn similarity(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let [x, y] = c.pair(b)?;
    let is_one = b.rank(x) == 3;
    let prepared = |b: &mut Builder<'_>, x: Value| {
        let x = if is_one { b.expand(x, 0)? } else { x };
        if is_first(c) { b.move_axis(x, 1, 3) } else { Ok(x) }
    };
    let (x, y) = (prepared(b, x)?, prepared(b, y)?);
    let number = |name: &str, default: f64| c.float(name, usize::MAX).unwrap_or(default);
    let places = c.int("filter_size", usize::MAX).and_then(|n| usize::try_from(n).ok());
    let places = places.unwrap_or(11);
    b.check_value("kernel", &[places, places], DType::Float64)?;
    let bell = bell(places, number("filter_sigma", 1.5));
    let most = number("max_val", 1.0);
    let limits = [number("k1", 0.01), number("k2", 0.03)].map(|k| (k * most).powi(2));
    let kernel = product(&bell, &bell);
    let mean =
        |b: &mut Builder<'_>, x: Value| filtered(b, x, [places, places], &kernel, Padding::Valid);
    let (mean_x, mean_y) = (mean(b, x)?, mean(b, y)?);
    let (xx, yy, xy) = (b.mul(mean_x, mean_x)?, b.mul(mean_y, mean_y)?, b.mul(mean_x, mean_y)?);
    let of = |b: &mut Builder<'_>, x: Value, y: Value, means: Value| {
        let squares = b.mul(x, y)?;
        let squares = mean(b, squares)?;
        b.sub(squares, means)
    };
    let (var_x, var_y, common) = (of(b, x, x, xx)?, of(b, y, y, yy)?, of(b, x, y, xy)?);
    let share = |b: &mut Builder<'_>, common: Value, x: Value, y: Value, limit: f64| {
        let above = b.scale(common, 2.0)?;
        let above = b.with_number(Arithmetic::Add, above, limit)?;
        let below = b.add(x, y)?;
        let below = b.with_number(Arithmetic::Add, below, limit)?;
        b.div(above, below)
    };
    let (first, second) =
        (share(b, xy, xx, yy, limits[0])?, share(b, common, var_x, var_y, limits[1])?);
    let y = b.mul(first, second)?;
    let y = b.mean(y, &[1, 2, 3], false)?;
    if is_one { b.at(y, 0, 0) } else { Ok(y) }
}

/// `x` at places between its elements, `places [rank, ..]`.
fn map_coordinates(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value, places: Value) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let how = Sampling {
        fill: c.text("fill_mode", 3).unwrap_or("constant"),
        value: c.float("fill_value", 4).unwrap_or(0.0),
        is_linear: match c.int("order", 2) {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(b.unsupported("an order above 1")),
        },
    };
    let places = (0..shape.len()).map(|axis| b.at(places, 0, axis)).collect::<Result<Vec<_>>>()?;
    let flat = b.reshape(x, [size(&shape)])?;
    let y = sampled(b, flat, &shape, &places, None, &how)?;
    let dtype = b.dtype(x);
    let y = if dtype.is_float() { y } else { b.unary(Function::Round, y)? };
    b.cast(y, dtype)
}

/// Images `[batch, rows, columns, channels]` bent by smooth noise, which is the same down and across.
fn elastic(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let number = |name: &str, position, default| c.float(name, position).unwrap_or(default);
    let (alpha, sigma) = (number("alpha", 1, 20.0), number("sigma", 2, 5.0));
    let &[batch, rows, columns, channels] = b.shape(x) else {
        return Err(b.error(format!("takes images, found shape {:?}", b.shape(x))));
    };
    let places = 6_usize.saturating_mul(sigma.max(0.0) as usize) | 1;
    b.check_value("kernel", &[places, places], DType::Float64)?;
    let noise = b.normal(&[batch, rows, columns])?;
    let noise = b.scale(noise, sigma)?;
    let noise = b.expand(noise, 3)?;
    let bell = bell(places, sigma);
    let kernel = product(&bell, &bell);
    let smooth = filtered(b, noise, [places, places], &kernel, Padding::Same)?;
    let smooth = b.reshape(smooth, [batch, rows, columns])?;
    let bent = b.scale(smooth, alpha)?;
    let line = |b: &mut Builder<'_>, n: usize, shape: [usize; 2]| {
        b.numbers(shape.to_vec(), (0..n).map(|i| i as f64).collect(), DType::Float32)
    };
    let (down, across) = (line(b, rows, [rows, 1])?, line(b, columns, [1, columns])?);
    let (down, across) = (b.add(bent, down)?, b.add(bent, across)?);
    let offsets = (0..batch).map(|i| i as f64 * (rows * columns) as f64).collect();
    let offsets = b.numbers(vec![batch, 1, 1], offsets, DType::Int64)?;
    let how = Sampling {
        fill: c.text("fill_mode", 4).unwrap_or("reflect"),
        value: number("fill_value", 5, 0.0),
        is_linear: c.text("interpolation", 3) != Some("nearest"),
    };
    let flat = b.reshape(x, [batch * rows * columns, channels])?;
    let y = sampled(b, flat, &[rows, columns], &[down, across], Some(offsets), &how)?;
    b.cast(y, b.dtype(x))
}

/// How values between elements are made, and what is outside.
struct Sampling<'a> {
    fill: &'a str,
    value: f64,
    is_linear: bool,
}

/// Rows of `table [rows, ..row]`, which stand for elements of `shape`, at places between these, one
/// tensor of `float32` for each axis; `offset` is where the elements begin.
fn sampled(
    b: &mut Builder<'_>,
    table: Value,
    shape: &[usize],
    places: &[Value],
    offset: Option<Value>,
    how: &Sampling<'_>,
) -> Result<Value> {
    let value = b.scalar(how.value, DType::Float32)?;
    // Of each axis the place below and above with its weight, and whether it is in the image.
    let mut axes = Vec::with_capacity(shape.len());
    for (n, place) in shape.iter().zip(places) {
        let place = b.cast(*place, DType::Float32)?;
        let mut ends = Vec::new();
        if how.is_linear {
            let low = b.unary(Function::Floor, place)?;
            let share = b.sub(place, low)?;
            let one = b.scalar(1.0, DType::Float32)?;
            let rest = b.sub(one, share)?;
            let high = b.add(low, one)?;
            ends.extend([(low, Some(rest)), (high, Some(share))]);
        } else {
            ends.push((b.unary(Function::Round, place)?, None));
        }
        let mut found = Vec::with_capacity(2);
        for (place, weight) in ends {
            let (place, inside) = inside(b, place, *n as f64, how.fill)?;
            found.push((place, inside, weight));
        }
        axes.push(found);
    }
    let steps = strides(shape);
    // What is of an element is of all of its row.
    let row = b.rank(table).saturating_sub(1);
    let spread = |b: &mut Builder<'_>, x: Value| {
        let shape = [b.shape(x), &vec![1; row]].concat();
        b.reshape(x, shape)
    };
    let mut sum: Option<Value> = None;
    let corners: usize = axes.iter().map(Vec::len).product();
    for corner in 0..corners {
        let (mut rest, mut at, mut weight, mut valid) = (corner, offset, None, None);
        for (ends, step) in axes.iter().zip(&steps) {
            let Some((place, inside, share)) = ends.get(rest % ends.len()).copied() else {
                continue;
            };
            rest /= ends.len();
            let place = b.cast(place, DType::Int64)?;
            let place = b.scale(place, *step as f64)?;
            at = Some(at.map_or(Ok(place), |at| b.add(at, place))?);
            weight = match (weight, share) {
                (Some(weight), Some(share)) => Some(b.mul(weight, share)?),
                (weight, share) => weight.or(share),
            };
            valid = match (valid, inside) {
                (Some(a), Some(c)) => Some(b.logic(Connective::And, a, c)?),
                (a, c) => a.or(c),
            };
        }
        let Some(at) = at else { return Err(b.error("takes an axis or more")) };
        let mut element = b.gather(table, at, 0)?;
        element = b.cast(element, DType::Float32)?;
        if let Some(valid) = valid {
            let valid = spread(b, valid)?;
            element = b.select(valid, element, value)?;
        }
        if let Some(weight) = weight {
            let weight = spread(b, weight)?;
            element = b.mul(weight, element)?;
        }
        sum = Some(sum.map_or(Ok(element), |sum| b.add(sum, element))?);
    }
    sum.ok_or_else(|| b.error("takes an axis or more"))
}

/// A whole place moved into `0..n`, and whether it was there if that matters.
fn inside(b: &mut Builder<'_>, place: Value, n: f64, fill: &str) -> Result<(Value, Option<Value>)> {
    let clipped = |b: &mut Builder<'_>| {
        let place = b.with_number(Arithmetic::Max, place, 0.0)?;
        b.with_number(Arithmetic::Min, place, n - 1.0)
    };
    Ok(match fill {
        "nearest" => (clipped(b)?, None),
        "constant" => {
            let above = b.compare_number(Relation::GreaterEqual, place, 0.0)?;
            let below = b.compare_number(Relation::Less, place, n)?;
            (clipped(b)?, Some(b.logic(Connective::And, above, below)?))
        }
        "wrap" => (b.with_number(Arithmetic::Mod, place, n)?, None),
        "mirror" | "reflect" => {
            let place = b.unary(Function::Abs, place)?;
            let place = b.with_number(Arithmetic::Mod, place, 2.0 * n)?;
            let is_over = b.compare_number(Relation::GreaterEqual, place, n)?;
            let end =
                b.scalar(if fill == "reflect" { 2.0 * n - 1.0 } else { 2.0 * n }, DType::Float32)?;
            let back = b.sub(end, place)?;
            (b.select(is_over, back, place)?, None)
        }
        other => return Err(b.unsupported(format!("fill_mode {other:?}"))),
    })
}

/// How pixels between and outside of those of an image are made.
pub(in crate::lower) struct Projection<'a> {
    /// Where pixels from outside come from.
    pub(in crate::lower) fill: &'a str,
    /// What they are for `constant`.
    pub(in crate::lower) value: f64,
    /// Whether the nearest pixel is taken; else those around, by their distances.
    pub(in crate::lower) is_nearest: bool,
}

impl<'a> Projection<'a> {
    fn of(c: &OpCall<'_>, fill: &'a str) -> Self {
        Self {
            fill,
            value: c.float("fill_value", usize::MAX).unwrap_or(0.0),
            is_nearest: c.text("interpolation", usize::MAX) == Some("nearest"),
        }
    }
}

/// Each pixel from where `[a0, a1, a2, b0, b1, b2, c0, c1]` sends it:
/// `ImageProjectiveTransformV3` of TensorFlow.
pub(in crate::lower) fn project(
    b: &mut Builder<'_>,
    x: Value,
    transform: Value,
    &Projection { fill, value, is_nearest }: &Projection<'_>,
) -> Result<Value> {
    let &[batch, height, width, channels] = b.shape(x) else { return Err(b.error("takes images")) };
    let transform = b.cast(transform, DType::Float32)?;
    let count = size(b.shape(transform)) / 8;
    let transform = b.reshape(transform, [count, 8, 1])?;
    let part = |b: &mut Builder<'_>, i: usize| b.slice(transform, 1, i, i + 1);
    let grid = |f: &dyn Fn(usize) -> usize| (0..height * width).map(|at| f(at) as f64).collect();
    let across = b.numbers([1, 1, height * width], grid(&|at| at % width), DType::Float32)?;
    let down = b.numbers([1, 1, height * width], grid(&|at| at / width), DType::Float32)?;
    let plane = |b: &mut Builder<'_>, first: usize, last: Option<usize>| {
        let (p, q) = (part(b, first)?, part(b, first + 1)?);
        let (p, q) = (b.mul(p, across)?, b.mul(q, down)?);
        let sum = b.add(p, q)?;
        match last {
            Some(last) => {
                let last = part(b, last)?;
                b.add(sum, last)
            }
            None => b.with_number(Arithmetic::Add, sum, 1.0),
        }
    };
    let (to_x, to_y, depth) = (plane(b, 0, Some(2))?, plane(b, 3, Some(5))?, plane(b, 6, None)?);
    let (at_x, at_y) = (b.div(to_x, depth)?, b.div(to_y, depth)?);
    let (at_x, at_y) = (folded(b, at_x, width, fill)?, folded(b, at_y, height, fill)?);
    let all = [count, height * width, 1];
    let (at_x, at_y) = (b.reshape(at_x, all)?, b.reshape(at_y, all)?);
    let flat = b.reshape(x, [batch * height * width, channels])?;
    let first = b.numbers(
        [batch, 1, 1],
        (0..batch).map(|i| (i * height * width) as f64).collect(),
        DType::Int64,
    )?;
    let value = b.scalar(value, b.dtype(x))?;
    // A pixel of whole places, or what stands for those outside.
    let pixel = |b: &mut Builder<'_>, x: Value, y: Value| {
        let mut valid = None;
        let mut inner = Vec::new();
        for (place, n) in [(x, width), (y, height)] {
            let (place, inside) = inside(b, place, n as f64, "constant")?;
            inner.push(b.cast(place, DType::Int64)?);
            valid = match (valid, inside) {
                (Some(a), Some(c)) => Some(b.logic(Connective::And, a, c)?),
                (a, c) => a.or(c),
            };
        }
        let &[x, y] = inner.as_slice() else { return Err(b.error("takes images")) };
        let row = b.scale(y, width as f64)?;
        let place = b.add(row, x)?;
        let place = b.add(place, first)?;
        let place = b.reshape(place, [batch * height * width])?;
        let pixels = b.gather(flat, place, 0)?;
        let pixels = b.reshape(pixels, [batch, height * width, channels])?;
        match valid {
            Some(valid) => b.select(valid, pixels, value),
            None => Ok(pixels),
        }
    };
    let y = if is_nearest {
        let (x, y) = (rounded(b, at_x)?, rounded(b, at_y)?);
        pixel(b, x, y)?
    } else {
        let (left, top) = (b.unary(Function::Floor, at_x)?, b.unary(Function::Floor, at_y)?);
        let right = b.with_number(Arithmetic::Add, left, 1.0)?;
        let bottom = b.with_number(Arithmetic::Add, top, 1.0)?;
        let (far, low) = (b.sub(at_x, left)?, b.sub(at_y, top)?);
        let between = |b: &mut Builder<'_>, from: Value, to: Value, share: Value| {
            let step = b.sub(to, from)?;
            let step = b.mul(step, share)?;
            b.add(from, step)
        };
        let row = |b: &mut Builder<'_>, y: Value| {
            let (from, to) = (pixel(b, left, y)?, pixel(b, right, y)?);
            between(b, from, to, far)
        };
        let (upper, lower) = (row(b, top)?, row(b, bottom)?);
        between(b, upper, lower, low)?
    };
    let y = b.reshape(y, [batch, height, width, channels])?;
    b.cast(y, b.dtype(x))
}

/// The nearest whole number, halves away from zero.
fn rounded(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let (size, sign) = (b.unary(Function::Abs, x)?, b.unary(Function::Sign, x)?);
    let size = b.with_number(Arithmetic::Add, size, 0.5)?;
    let size = b.unary(Function::Floor, size)?;
    b.mul(size, sign)
}

/// A place outside the image moved as the mode says: `generator.h` of TensorFlow's image kernels.
fn folded(b: &mut Builder<'_>, place: Value, n: usize, fill: &str) -> Result<Value> {
    let n = n as f64;
    if fill == "constant" {
        return Ok(place);
    }
    let last = |b: &mut Builder<'_>, place: Value| {
        let place = b.with_number(Arithmetic::Max, place, 0.0)?;
        b.with_number(Arithmetic::Min, place, n - 1.0)
    };
    if fill == "nearest" || n <= 1.0 {
        return last(b, place);
    }
    // What is to the left begins another round there, which is cut off towards 0.
    let is_below = b.compare_number(Relation::Less, place, 0.0)?;
    let is_above = b.compare_number(Relation::Greater, place, n - 1.0)?;
    let rounds = |b: &mut Builder<'_>, length: f64, step: f64| {
        let rounds = b.with_number(Arithmetic::Div, place, -length)?;
        let rounds = b.unary(Function::Trunc, rounds)?;
        b.scale(rounds, step)
    };
    let (below, above) = match fill {
        "reflect" => {
            // (d c b a | a b c d | d c b a)
            let double = 2.0 * n;
            let turns = rounds(b, double, double)?;
            let start = b.add(place, turns)?;
            let is_first = b.compare_number(Relation::Less, start, -n)?;
            let moved = b.with_number(Arithmetic::Add, start, double)?;
            let turned = b.scale(start, -1.0)?;
            let turned = b.with_number(Arithmetic::Sub, turned, 1.0)?;
            let below = b.select(is_first, moved, turned)?;
            let is_second = b.compare_number(Relation::GreaterEqual, start, n)?;
            let turned = b.scale(start, -1.0)?;
            let turned = b.with_number(Arithmetic::Add, turned, double - 1.0)?;
            (below, b.select(is_second, turned, start)?)
        }
        "wrap" => {
            let turns = rounds(b, n - 1.0, n)?;
            let below = b.add(place, turns)?;
            let below = b.with_number(Arithmetic::Add, below, n)?;
            (below, b.add(place, turns)?)
        }
        other => return Err(b.unsupported(format!("fill_mode {other:?}"))),
    };
    let y = b.select(is_above, above, place)?;
    let y = b.select(is_below, below, y)?;
    last(b, y)
}

/// The projection that sends the end points to the start points.
pub(in crate::lower) fn homography(b: &mut Builder<'_>, start: Value, end: Value) -> Result<Value> {
    let count = b.dim(start, 0)?;
    let part = |b: &mut Builder<'_>, points: Value, i: usize| b.slice(points, 2, i, i + 1);
    let (ex, ey) = (part(b, end, 0)?, part(b, end, 1)?);
    let one = b.full([count, 4, 1], 1.0, DType::Float32)?;
    let zero = b.full([count, 4, 1], 0.0, DType::Float32)?;
    let mut rows = Vec::new();
    let mut right = Vec::new();
    for i in 0..2 {
        let to = part(b, start, i)?;
        let back = b.scale(to, -1.0)?;
        let (px, py) = (b.mul(back, ex)?, b.mul(back, ey)?);
        let parts = match i {
            0 => [ex, ey, one, zero, zero, zero, px, py],
            _ => [zero, zero, zero, ex, ey, one, px, py],
        };
        rows.push(b.concat(&parts, 2)?);
        right.push(to);
    }
    let (rows, right) = (b.concat(&rows, 1)?, b.concat(&right, 1)?);
    let y = b.op(Solve, &[rows, right])?;
    b.reshape(y, [count, 8])
}

/// Each of some axes resampled with a scale and an offset of its own.
fn scale_and_translate(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let lengths = c.ints("output_shape", 1).unwrap_or_default();
    let axes = c.ints("spatial_dims", usize::MAX).unwrap_or_default();
    let axes = b.axes(x, &axes)?;
    let given = |b: &mut Builder<'_>, name: &str, at: usize| {
        let value = c.operand(b, &[name], at, Some(DType::Float32))?;
        let value = value.ok_or_else(|| b.error(format!("has no {name}")))?;
        b.cast(value, DType::Float32)
    };
    let (scale, offset) = (given(b, "scale", 2)?, given(b, "translation", 3)?);
    let method = c.text("method", usize::MAX).unwrap_or("linear").to_owned();
    let antialias = c.plain("antialias", usize::MAX).and_then(serde_json::Value::as_bool);
    let mut y = b.cast(x, DType::Float32)?;
    for (i, axis) in axes.into_iter().enumerate() {
        let n = b.shape(x).get(axis).copied().unwrap_or(0);
        let to = lengths.get(axis).and_then(|n| usize::try_from(*n).ok());
        let to = to.ok_or_else(|| b.error("has no output_shape"))?;
        let (scale, offset) = (b.at(scale, 0, i)?, b.at(offset, 0, i)?);
        let weights = resampling(b, [n, to], scale, offset, &method, antialias != Some(false))?;
        let last = b.rank(y).saturating_sub(1);
        let moved = b.move_axis(y, axis, last)?;
        let moved = matmul(b, moved, weights)?;
        y = b.move_axis(moved, last, axis)?;
    }
    let dtype = b.dtype(x);
    if dtype.is_float() {
        return b.cast(y, dtype);
    }
    let all: Vec<usize> = (0..b.rank(x)).collect();
    let (low, high) =
        (b.reduce(Reduction::Min, x, &all, false)?, b.reduce(Reduction::Max, x, &all, false)?);
    let (low, high) = (b.cast(low, DType::Float32)?, b.cast(high, DType::Float32)?);
    let y = b.unary(Function::Round, y)?;
    let y = b.binary(Arithmetic::Max, y, low)?;
    let y = b.binary(Arithmetic::Min, y, high)?;
    b.cast(y, dtype)
}

/// The weight of each of `n` elements for each of `to` places.
fn resampling(
    b: &mut Builder<'_>,
    [n, to]: [usize; 2],
    scale: Value,
    offset: Value,
    method: &str,
    antialias: bool,
) -> Result<Value> {
    let row = |n: usize| (0..n).map(|i| i as f64).collect::<Vec<f64>>();
    let inverse = b.unary(Function::Reciprocal, scale)?;
    let places = b.table([1, to], DType::Float32, || row(to))?;
    let places = b.with_number(Arithmetic::Add, places, 0.5)?;
    let places = b.mul(places, inverse)?;
    let offset = b.mul(offset, inverse)?;
    let places = b.sub(places, offset)?;
    let places = b.with_number(Arithmetic::Sub, places, 0.5)?;
    let elements = b.numbers([n, 1], row(n), DType::Float32)?;
    let distance = b.sub(places, elements)?;
    let mut distance = b.unary(Function::Abs, distance)?;
    if antialias {
        let stretch = b.with_number(Arithmetic::Max, inverse, 1.0)?;
        distance = b.div(distance, stretch)?;
    }
    let weights = kernel(b, distance, method)?;
    let sum = b.sum(weights, &[0], true)?;
    let size = b.unary(Function::Abs, sum)?;
    let limit = 1000.0 * f64::from(f32::EPSILON);
    let is_used = b.compare_number(Relation::Greater, size, limit)?;
    let low = b.compare_number(Relation::GreaterEqual, places, -0.5)?;
    let high = b.compare_number(Relation::LessEqual, places, n as f64 - 0.5)?;
    let is_inside = b.logic(Connective::And, low, high)?;
    let is_used = b.logic(Connective::And, is_used, is_inside)?;
    let shares = b.binary(Arithmetic::DivNoNan, weights, sum)?;
    let zero = b.scalar(0.0, DType::Float32)?;
    b.select(is_used, shares, zero)
}

/// The weight at a distance.
fn kernel(b: &mut Builder<'_>, x: Value, method: &str) -> Result<Value> {
    let zero = b.scalar(0.0, DType::Float32)?;
    let polynomial = |b: &mut Builder<'_>, factors: [f64; 4]| {
        let mut y = b.scalar(factors[0], DType::Float32)?;
        for factor in &factors[1..] {
            y = b.mul(y, x)?;
            y = b.with_number(Arithmetic::Add, y, *factor)?;
        }
        Ok::<_, crate::Error>(y)
    };
    Ok(match method {
        "linear" | "bilinear" | "trilinear" | "triangle" => {
            let line = b.scale(x, -1.0)?;
            let line = b.with_number(Arithmetic::Add, line, 1.0)?;
            b.with_number(Arithmetic::Max, line, 0.0)?
        }
        "cubic" | "bicubic" | "tricubic" => {
            let near = polynomial(b, [1.5, -2.5, 0.0, 1.0])?;
            let far = polynomial(b, [-0.5, 2.5, -4.0, 2.0])?;
            let is_far = b.compare_number(Relation::GreaterEqual, x, 1.0)?;
            let y = b.select(is_far, far, near)?;
            let is_beyond = b.compare_number(Relation::GreaterEqual, x, 2.0)?;
            b.select(is_beyond, zero, y)?
        }
        "lanczos3" | "lanczos5" => {
            let radius = if method == "lanczos3" { 3.0 } else { 5.0 };
            let wave = |b: &mut Builder<'_>, factor: f64| {
                let angle = b.scale(x, std::f64::consts::PI * factor)?;
                b.unary(Function::Sin, angle)
            };
            let (fast, slow) = (wave(b, 1.0)?, wave(b, 1.0 / radius)?);
            let above = b.mul(fast, slow)?;
            let above = b.scale(above, radius)?;
            let below = b.unary(Function::Square, x)?;
            let below = b.scale(below, std::f64::consts::PI.powi(2))?;
            let y = b.binary(Arithmetic::DivNoNan, above, below)?;
            let one = b.scalar(1.0, DType::Float32)?;
            let is_off = b.compare_number(Relation::Greater, x, 1e-3)?;
            let y = b.select(is_off, y, one)?;
            let is_beyond = b.compare_number(Relation::Greater, x, radius)?;
            b.select(is_beyond, zero, y)?
        }
        other => return Err(b.unsupported(format!("method {other:?}"))),
    })
}
