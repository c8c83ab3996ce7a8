//! Fourier transforms and frames: `keras/src/ops/math.py`. Complex numbers are pairs of tensors, as
//! in Keras.

use std::f64::consts::PI;

use keras_model::DType;
use serde_json::Value as Json;

use super::linalg::matmul;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, to_float};
use crate::ops::{PadMode, Scatter, Scattering, size};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    match name {
        "FFT" => {
            let parts = pair(c, b)?;
            transform(b, parts, -1, false).map(|y| Some(y.to_vec()))
        }
        "FFT2" | "IFFT2" => {
            let inverse = name == "IFFT2";
            let parts = pair(c, b)?;
            let parts = transform(b, parts, -1, inverse)?;
            transform(b, parts, -2, inverse).map(|y| Some(y.to_vec()))
        }
        "RFFT" => {
            let x = c.x(b)?;
            let x = to_float(b, x)?;
            let own = b.dim(x, -1)?;
            let n = length(c, "fft_length").unwrap_or(own);
            real(b, x, n).map(|y| Some(y.to_vec()))
        }
        "IRFFT" => {
            let parts = pair(c, b)?;
            let own = b.dim(parts[0], -1)?;
            let n = length(c, "fft_length").unwrap_or(2 * own.saturating_sub(1));
            inverse_real(b, parts, n).map(|y| Some(vec![y]))
        }
        "ExtractSequences" => {
            let x = c.x(b)?;
            let (length, stride) =
                (number(c, b, "sequence_length")?, number(c, b, "sequence_stride")?);
            frames(b, x, length, stride).map(|y| Some(vec![y]))
        }
        "STFT" => Frames::of(c, b)?.forward(c, b).map(|y| Some(y.to_vec())),
        "ISTFT" => Frames::of(c, b)?.backward(c, b).map(|y| Some(vec![y])),
        _ => Ok(None),
    }
}

fn length(c: &OpCall<'_>, name: &str) -> Option<usize> {
    c.int(name, usize::MAX).and_then(|n| usize::try_from(n).ok())
}

fn number(c: &OpCall<'_>, b: &Builder<'_>, name: &str) -> Result<usize> {
    length(c, name).filter(|n| *n > 0).ok_or_else(|| b.error(format!("has no {name}")))
}

/// Real and imaginary parts.
fn pair(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<[Value; 2]> {
    match *c.call.tensors().as_slice() {
        [real, imaginary, ..] => Ok([to_float(b, real)?, to_float(b, imaginary)?]),
        _ => Err(b.error("takes real and imaginary parts")),
    }
}

/// Cosines and sines of the `n`th parts of a circle, `[rows, columns]`, each times a factor.
fn circle(
    b: &mut Builder<'_>,
    [rows, columns, n]: [usize; 3],
    dtype: DType,
    factor: impl Fn(usize) -> f64,
) -> Result<[Value; 2]> {
    // The product is taken modulo n first, so that the angle is exact.
    let angle = |i: usize, k: usize| 2.0 * PI * ((i * k) % n.max(1)) as f64 / n as f64;
    let all = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
        (0..rows * columns)
            .map(|at| (at / columns, at % columns))
            .map(|(i, k)| factor(i) * f(angle(i, k)))
            .collect()
    };
    let dtype = if dtype == DType::Float64 { dtype } else { DType::Float32 };
    let cosines = b.table([rows, columns], dtype, || all(&f64::cos))?;
    Ok([cosines, b.table([rows, columns], dtype, || all(&f64::sin))?])
}

/// The transform along an axis, or its inverse.
pub(super) fn transform(
    b: &mut Builder<'_>,
    [real, imaginary]: [Value; 2],
    axis: i64,
    inverse: bool,
) -> Result<[Value; 2]> {
    let (n, axis) = (b.dim(real, axis)?, b.axis(real, axis)?);
    let last = b.rank(real).saturating_sub(1);
    let (real, imaginary) = (b.move_axis(real, axis, last)?, b.move_axis(imaginary, axis, last)?);
    let factor = if inverse { 1.0 / n.max(1) as f64 } else { 1.0 };
    let [cosines, sines] = circle(b, [n, n, n], b.dtype(real), |_| factor)?;
    let [rc, rs] = [matmul(b, real, cosines)?, matmul(b, real, sines)?];
    let [ic, is] = [matmul(b, imaginary, cosines)?, matmul(b, imaginary, sines)?];
    let parts =
        if inverse { [b.sub(rc, is)?, b.add(ic, rs)?] } else { [b.add(rc, is)?, b.sub(ic, rs)?] };
    Ok([b.move_axis(parts[0], last, axis)?, b.move_axis(parts[1], last, axis)?])
}

/// Half of the transform of real numbers, cut or filled up to `n`.
fn real(b: &mut Builder<'_>, x: Value, n: usize) -> Result<[Value; 2]> {
    let last = b.axis(x, -1)?;
    let used = b.dim(x, -1)?.min(n);
    let x = b.slice(x, last, 0, used)?;
    let [cosines, sines] = circle(b, [used, n / 2 + 1, n], b.dtype(x), |_| 1.0)?;
    let (real, imaginary) = (matmul(b, x, cosines)?, matmul(b, x, sines)?);
    Ok([real, b.scale(imaginary, -1.0)?])
}

/// The `n` real numbers whose transform is given by half.
fn inverse_real(b: &mut Builder<'_>, parts: [Value; 2], n: usize) -> Result<Value> {
    let last = b.axis(parts[0], -1)?;
    let used = b.dim(parts[0], -1)?.min(n / 2 + 1);
    let [real, imaginary] = parts;
    let (real, imaginary) = (b.slice(real, last, 0, used)?, b.slice(imaginary, last, 0, used)?);
    // All frequencies but the first and that of half the length stand for two.
    let factor = |k: usize| if k == 0 || 2 * k == n { 1.0 } else { 2.0 } / n.max(1) as f64;
    let [cosines, sines] = circle(b, [used, n, n], b.dtype(real), factor)?;
    let (real, imaginary) = (matmul(b, real, cosines)?, matmul(b, imaginary, sines)?);
    b.sub(real, imaginary)
}

/// Parts of the last axis, one behind the other in the axis before it.
pub(super) fn frames(b: &mut Builder<'_>, x: Value, length: usize, stride: usize) -> Result<Value> {
    let (n, last) = (b.dim(x, -1)?, b.axis(x, -1)?);
    let count = n.checked_sub(length).map_or(0, |room| room / stride + 1);
    b.check_value("frames", &[count, length], DType::Int64)?;
    let places = b.indices((0..count).flat_map(|i| i * stride..i * stride + length))?;
    let parts = b.gather(x, places, last)?;
    let mut shape = b.shape(x).to_vec();
    shape.pop();
    shape.extend([count, length]);
    b.reshape(parts, shape)
}

/// As many numbers behind each row as its last, incomplete frames need.
pub(super) fn filled_end(
    b: &mut Builder<'_>,
    x: Value,
    length: usize,
    step: usize,
    value: f64,
) -> Result<Value> {
    let n = b.dim(x, -1)?;
    let wanted = n.div_ceil(step).saturating_sub(1).saturating_mul(step).saturating_add(length);
    let mut borders = vec![(0, 0); b.rank(x)];
    if let Some(border) = borders.last_mut() {
        *border = (0, wanted.saturating_sub(n));
    }
    b.pad(x, &borders, PadMode::Constant(value))
}

/// `tf.signal.stft`: frames from the first element on, each under Hann's window.
pub(super) fn tensorflow_stft(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<[Value; 2]> {
    let x = c.x(b)?;
    let x = to_float(b, x)?;
    let (length, stride) = (number(c, b, "frame_length")?, number(c, b, "frame_step")?);
    let fft = self::length(c, "fft_length").unwrap_or_else(|| length.next_power_of_two());
    let x = if c.flag("pad_end", usize::MAX) { filled_end(b, x, length, stride, 0.0)? } else { x };
    let parts = frames(b, x, length, stride)?;
    let window = b.table([length], b.dtype(x), || {
        (0..length).map(|i| 0.5 - 0.5 * (2.0 * PI * i as f64 / length as f64).cos()).collect()
    })?;
    let parts = b.mul(parts, window)?;
    real(b, parts, fft)
}

/// How a signal is cut into frames.
struct Frames {
    stride: usize,
    fft: usize,
    /// One factor for each place of a frame, `fft` of them.
    window: Vec<f64>,
    center: bool,
}

impl Frames {
    fn of(c: &OpCall<'_>, b: &Builder<'_>) -> Result<Self> {
        let length = number(c, b, "sequence_length")?;
        let (stride, fft) = (number(c, b, "sequence_stride")?, number(c, b, "fft_length")?);
        let before = fft.checked_sub(length).ok_or_else(|| b.error("fft_length is too short"))? / 2;
        b.check_value("window", &[fft], DType::Float64)?;
        let angle = |i: usize| 2.0 * PI * i as f64 / length as f64;
        let inner: Vec<f64> = match c.plain("window", usize::MAX) {
            None => vec![1.0; fft],
            Some(Json::String(name)) => match name.as_str() {
                "hann" => (0..length).map(|i| 0.5 - 0.5 * angle(i).cos()).collect(),
                "hamming" => (0..length).map(|i| 0.54 - 0.46 * angle(i).cos()).collect(),
                other => return Err(b.unsupported(format!("window {other:?}"))),
            },
            Some(list) => {
                let given = crate::lower::rescaling::nested(list).map(|(_, values)| values);
                let given = given.filter(|values| values.len() == length);
                given.ok_or_else(|| b.error("a window of another length"))?
            }
        };
        let mut window = vec![0.0; fft];
        let start = if inner.len() == fft { 0 } else { before };
        window.iter_mut().skip(start).zip(inner).for_each(|(w, value)| *w = value);
        let center = c.plain("center", usize::MAX).and_then(Json::as_bool).unwrap_or(true);
        Ok(Self { stride, fft, window, center })
    }

    fn forward(&self, c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<[Value; 2]> {
        let mut x = c.x(b)?;
        if self.center {
            let mut borders = vec![(0, 0); b.rank(x)];
            if let Some(last) = borders.last_mut() {
                *last = (self.fft / 2, self.fft / 2);
            }
            x = b.pad(x, &borders, PadMode::Reflect)?;
        }
        let parts = frames(b, x, self.fft, self.stride)?;
        let window = b.numbers([self.fft], self.window.clone(), b.dtype(x))?;
        let parts = b.mul(parts, window)?;
        real(b, parts, self.fft)
    }

    fn backward(&self, c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
        let parts = pair(c, b)?;
        let y = inverse_real(b, parts, self.fft)?;
        let shape = b.shape(y).to_vec();
        let [outer @ .., count, fft] = shape.as_slice() else {
            return Err(b.error("takes frames"));
        };
        let (count, fft, stride) = (*count, *fft, self.stride);
        // Where frames meet, the squares of their windows shall sum to one.
        let has_window = c.plain("window", usize::MAX).is_some();
        let square = |i: usize| self.window.get(i).map_or(0.0, |w| w * w);
        let sum = |i: usize| (i % stride..fft).step_by(stride).map(square).sum::<f64>();
        let inverse =
            self.window.iter().enumerate().map(|(i, w)| if has_window { w / sum(i) } else { 1.0 });
        let window = b.numbers([fft], inverse.collect(), b.dtype(y))?;
        let y = b.mul(y, window)?;
        let total = if count == 0 { 0 } else { fft + stride * (count - 1) };
        let rows = size(outer);
        // Frame by frame onto one line for all signals.
        let flat = b.reshape(y, [rows, count * fft])?;
        let flat = b.transpose(flat, vec![1, 0])?;
        let places = b.indices((0..count).flat_map(|i| i * stride..i * stride + fft))?;
        let zero = b.full([total, rows], 0.0, b.dtype(y))?;
        let op = Scatter { how: Scattering::Add, negative_skips: false };
        let line = b.op(op, &[zero, places, flat])?;
        let line = b.transpose(line, vec![1, 0])?;
        let line = b.reshape(line, [outer, &[total]].concat())?;
        let start = if self.center { fft / 2 } else { 0 };
        let end = match length(c, "length") {
            Some(length) => (start + length).min(total),
            None if self.center => total.saturating_sub(fft / 2),
            None => total,
        };
        b.slice(line, outer.len(), start.min(total), end)
    }
}
