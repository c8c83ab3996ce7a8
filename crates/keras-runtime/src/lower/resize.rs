//! Images in another size: a weighted mean along each axis, as a product with a constant matrix.
//! Source: `keras/src/backend/jax/image.py`, `tf.image.resize`.

use std::f64::consts::PI;

use keras_model::layers::up_sampling::Interpolation;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::to_float;
use crate::ops::size;

/// `x` with the length `to` on an axis.
pub(super) fn axis(
    b: &mut Builder<'_>,
    x: Value,
    axis: usize,
    to: usize,
    how: Interpolation,
    antialias: bool,
) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let n = shape.get(axis).copied().unwrap_or(0);
    if n == 0 || to == 0 {
        return Err(b.error(format!("cannot resize {shape:?} to {to}")));
    }
    if how == Interpolation::Nearest {
        let indices = b.indices((0..to).map(|i| (((2 * i + 1) * n) / (2 * to)).min(n - 1)))?;
        return b.gather(x, indices, axis);
    }
    if n == to && !matches!(how, Interpolation::Gaussian | Interpolation::Mitchellcubic) {
        return Ok(x);
    }
    let x = to_float(b, x)?;
    let matrix = b.table([to, n], b.dtype(x), || match how {
        Interpolation::Area => area(n, to),
        _ => weights(n, to, how, antialias),
    })?;
    let (outer, inner) = (shape.get(..axis).unwrap_or_default(), shape.get(axis + 1..));
    let inner = inner.unwrap_or_default();
    let rows = b.reshape(x, [size(outer), n, size(inner)])?;
    let y = b.matmul(matrix, rows)?;
    b.reshape(y, [outer, &[to], inner].concat())
}

/// As TensorFlow 1 resizes: places are counted from the first element; with `aligned` the last ones
/// lie on each other too.
pub(super) fn corners(
    b: &mut Builder<'_>,
    x: Value,
    axis: usize,
    to: usize,
    is_nearest: bool,
    aligned: bool,
) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let n = shape.get(axis).copied().unwrap_or(0);
    if n == 0 || to == 0 {
        return Err(b.error(format!("cannot resize {shape:?} to {to}")));
    }
    let is_aligned = aligned && to > 1;
    let scale =
        if is_aligned { (n as f32 - 1.0) / (to as f32 - 1.0) } else { n as f32 / to as f32 };
    let place = |i: usize| (i as f32 * scale).min(n as f32 - 1.0);
    if is_nearest {
        let nearest = |i| if is_aligned { place(i).round() } else { place(i).floor() };
        let indices = b.indices((0..to).map(|i| nearest(i) as usize))?;
        return b.gather(x, indices, axis);
    }
    let x = to_float(b, x)?;
    let low = b.indices((0..to).map(|i| place(i) as usize))?;
    let high = b.indices((0..to).map(|i| place(i).ceil() as usize))?;
    let mut wide = vec![1; shape.len()];
    if let Some(dim) = wide.get_mut(axis) {
        *dim = to;
    }
    let share = (0..to).map(|i| f64::from(place(i).fract()));
    let share = b.table(wide, b.dtype(x), || share.collect())?;
    let (low, high) = (b.gather(x, low, axis)?, b.gather(x, high, axis)?);
    let distance = b.sub(high, low)?;
    let part = b.mul(distance, share)?;
    b.add(low, part)
}

/// For each place of the result the weights of all elements, row by row.
fn weights(n: usize, to: usize, how: Interpolation, antialias: bool) -> Vec<f64> {
    let scale = n as f64 / to as f64;
    // Without antialiasing a shrunk image is sampled as finely as a grown one.
    let spread = if antialias { scale.max(1.0) } else { 1.0 };
    let mut all = Vec::with_capacity(n * to);
    for i in 0..to {
        let mut centre = (i as f64 + 0.5) * scale - 0.5;
        if how == Interpolation::Bicubic && !antialias {
            // TensorFlow looks the curve up in a table of 1024 steps.
            centre = (centre * 1024.0).round_ties_even() / 1024.0;
        }
        let row: Vec<f64> =
            (0..n).map(|k| kernel(how, (k as f64 - centre).abs() / spread)).collect();
        let sum: f64 = row.iter().sum();
        let sum = if sum.abs() > 1e-10 { sum } else { 1.0 };
        all.extend(row.iter().map(|w| w / sum));
    }
    all
}

/// The weight of an element at a distance.
fn kernel(how: Interpolation, x: f64) -> f64 {
    let lanczos = |radius: f64| {
        if x > radius {
            return 0.0;
        }
        let t = PI * x;
        if t < 1e-8 { 1.0 } else { radius * t.sin() * (t / radius).sin() / (t * t) }
    };
    match how {
        Interpolation::Bilinear => (1.0 - x).max(0.0),
        Interpolation::Bicubic => match x {
            x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            _ => 0.0,
        },
        Interpolation::Lanczos3 => lanczos(3.0),
        Interpolation::Lanczos5 => lanczos(5.0),
        Interpolation::Gaussian => {
            if x < 1.5 {
                (-2.0 * x * x).exp()
            } else {
                0.0
            }
        }
        Interpolation::Mitchellcubic => match x {
            x if x < 1.0 => ((7.0 / 6.0) * x - 2.0) * x * x + 8.0 / 9.0,
            x if x < 2.0 => ((-7.0 / 18.0 * x + 2.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0,
            _ => 0.0,
        },
        Interpolation::Nearest | Interpolation::Area => 0.0,
    }
}

/// The shares of all elements in each of `to` equal parts of the axis.
fn area(n: usize, to: usize) -> Vec<f64> {
    let scale = n as f64 / to as f64;
    let mut all = Vec::with_capacity(n * to);
    for i in 0..to {
        let (start, end) = (i as f64 * scale, (i as f64 + 1.0) * scale);
        all.extend((0..n).map(|k| {
            let (low, high) = (start.max(k as f64), end.min(k as f64 + 1.0));
            (high - low).max(0.0) / scale
        }));
    }
    all
}

/// The interpolation of that name.
pub(super) fn interpolation(name: &str) -> Option<Interpolation> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}
