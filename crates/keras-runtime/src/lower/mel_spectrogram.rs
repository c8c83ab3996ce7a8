//! `MelSpectrogram`.

use std::f64::consts::TAU;

use keras_model::DType;
use keras_model::layers::mel_spectrogram::MelSpectrogram;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{self, Arithmetic, Function, PadMode, Reduction, Window};

pub(super) fn lower(
    layer: &MelSpectrogram,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let compute = b.compute();
    let x = if b.dtype(x) == DType::Float64 { x } else { b.cast(x, DType::Float32)? };
    let outer = b.shape(x).iter().rev().skip(1).rev().copied().collect::<Vec<_>>();
    let samples = b.dim(x, -1)?;
    let x = b.reshape(x, [ops::size(&outer), samples, 1])?;
    let n = layer.fft_length;
    let border = n / 2;
    if border >= samples || layer.sequence_stride == 0 {
        return Err(b.error(format!("{samples} samples are too few for frames of {n}")));
    }
    let x = b.pad(x, &[(0, 0), (border, border), (0, 0)], PadMode::Reflect)?;
    let window = Window {
        size: vec![n],
        strides: vec![layer.sequence_stride],
        dilation: vec![1],
        borders: vec![(0, 0)],
    };
    let frequencies = n / 2 + 1;
    b.check_value("transform", &[n, frequencies], DType::Float64)?;
    let taper = taper(layer, b)?;
    let mut squares = Vec::new();
    for part in [f64::cos as fn(f64) -> f64, f64::sin] {
        let kernel = taper.iter().enumerate().flat_map(|(t, w)| {
            (0..frequencies).map(move |f| w * part(TAU * ((t * f) % n) as f64 / n as f64))
        });
        let kernel = b.numbers([n, 1, frequencies], kernel.collect(), b.dtype(x))?;
        let y = b.op(ops::Conv::new(window.clone(), 1), &[x, kernel])?;
        squares.push(b.unary(Function::Square, y)?);
    }
    let &[real, imag] = squares.as_slice() else { return Err(b.error("has two parts")) };
    let power = b.add(real, imag)?;
    let magnitude = b.unary(Function::Sqrt, power)?;
    let power = b.with_number(Arithmetic::Pow, magnitude, layer.mag_exp.0)?;
    let bands = b.table([frequencies, layer.num_mel_bins], b.dtype(power), || bands(layer))?;
    let mut y = b.matmul(power, bands)?;
    if layer.power_to_db {
        y = decibels(layer, b, y)?;
    }
    let y = b.transpose(y, vec![0, 2, 1])?;
    let shape: Vec<usize> = outer.into_iter().chain(b.shape(y).iter().skip(1).copied()).collect();
    let y = b.reshape(y, shape)?;
    Ok(vec![b.cast(y, compute)?])
}

/// The window function, as long as the transform.
fn taper(layer: &MelSpectrogram, b: &Builder<'_>) -> Result<Vec<f64>> {
    let (n, length) = (layer.fft_length, layer.sequence_length.unwrap_or(layer.fft_length));
    if length > n || length == 0 {
        return Err(b.error(format!("{length} samples do not fit a transform of {n}")));
    }
    let (mean, depth) = match layer.window.as_deref() {
        Some("hann") => (0.5, 0.5),
        Some("hamming") => (0.54, 0.46),
        None => (1.0, 0.0),
        Some(other) => return Err(b.unsupported(format!("window {other}"))),
    };
    // Without a window function Keras leaves the frame as long as the transform.
    let before = if layer.window.is_some() { (n - length) / 2 } else { 0 };
    let inner = if layer.window.is_some() { length } else { n };
    let mut all = vec![0.0; n];
    for (i, w) in all.iter_mut().skip(before).take(inner).enumerate() {
        *w = if length == 1 { 1.0 } else { mean - depth * (TAU * i as f64 / length as f64).cos() };
    }
    Ok(all)
}

/// How much each frequency counts in each band of the mel scale.
fn bands(layer: &MelSpectrogram) -> Vec<f64> {
    let mel = |hertz: f64| 1127.0 * (hertz / 700.0).ln_1p();
    let rate = layer.sampling_rate.0;
    let highest = layer.max_freq.map_or(rate / 2.0, |f| f.0);
    let (low, high) = (mel(layer.min_freq.0), mel(highest));
    let edge = |i: usize| low + (high - low) * i as f64 / (layer.num_mel_bins + 1) as f64;
    let frequencies = layer.fft_length / 2;
    let mut all = vec![0.0; layer.num_mel_bins];
    for f in 1..=frequencies {
        let at = mel(rate / 2.0 * f as f64 / frequencies as f64);
        all.extend((0..layer.num_mel_bins).map(|band| {
            let (lower, centre, upper) = (edge(band), edge(band + 1), edge(band + 2));
            let rises = (at - lower) / (centre - lower);
            let falls = (upper - at) / (upper - centre);
            rises.min(falls).max(0.0)
        }));
    }
    all
}

fn decibels(layer: &MelSpectrogram, b: &mut Builder<'_>, y: Value) -> Result<Value> {
    let least = layer.min_power.0;
    let y = b.with_number(Arithmetic::Max, y, least)?;
    let y = b.unary(Function::Log10, y)?;
    let y = b.scale(y, 10.0)?;
    let reference = 10.0 * layer.ref_power.0.abs().max(least).log10();
    let y = b.with_number(Arithmetic::Sub, y, reference)?;
    let Some(top) = layer.top_db else { return Ok(y) };
    let axes: Vec<usize> = (0..b.rank(y)).collect();
    let peak = b.reduce(Reduction::Max, y, &axes, true)?;
    let floor = b.with_number(Arithmetic::Sub, peak, top.0)?;
    b.binary(Arithmetic::Max, y, floor)
}
