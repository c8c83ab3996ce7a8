//! Fourier transforms and frames: `keras/src/ops/math.py`.

use super::{OpCall, dim, one};
use crate::{DType, Dim, KerasTensor, Result};

/// A pair of real and imaginary parts, as it is.
pub(in super::super) fn pair(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(vec![op.x()?.clone(), op.tensor(1)?.clone()])
}

/// `rfft(x, fft_length)`: real and imaginary parts of half the frequencies.
pub(in super::super) fn rfft(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let length = op.int("fft_length").map_or_else(|| x.shape.dim(-1).flatten(), dim);
    let shape = x.shape.with_last(length.map(half));
    Ok(vec![KerasTensor::new(shape.clone(), x.dtype), KerasTensor::new(shape, x.dtype)])
}

fn half(n: usize) -> usize {
    (n / 2).saturating_add(1)
}

/// `irfft((real, imaginary), fft_length)`.
pub(in super::super) fn irfft(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let full = |n: usize| n.saturating_sub(1).saturating_mul(2);
    let length = op.int("fft_length").map_or_else(|| x.shape.dim(-1).flatten().map(full), dim);
    Ok(one(x.shape.with_last(length), x.dtype))
}

/// `extract_sequences(x, sequence_length, sequence_stride)`: frames of the last axis.
pub(in super::super) fn sequences(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let number = |name| op.int(name).and_then(dim).filter(|n| *n > 0);
    let length = number("sequence_length").ok_or_else(|| op.unknown())?;
    let stride = number("sequence_stride").ok_or_else(|| op.unknown())?;
    let frames = x.shape.dim(-1).flatten().map(|n| frames(n, length, stride));
    let mut shape = x.shape.with_last(frames);
    shape.0.push(Some(length));
    Ok(one(shape, x.dtype))
}

fn frames(n: usize, length: usize, stride: usize) -> usize {
    n.checked_sub(length).map_or(0, |room| room / stride + 1)
}

/// `stft(x, sequence_length, sequence_stride, fft_length, center)`.
pub(in super::super) fn stft(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let number = |name| op.int(name).and_then(dim).filter(|n| *n > 0).ok_or_else(|| op.unknown());
    let (stride, fft) = (number("sequence_stride")?, number("fft_length")?);
    let centered = op.value("center").and_then(serde_json::Value::as_bool).unwrap_or(true);
    let padded = |n: usize| if centered { n.saturating_add(fft / 2 * 2) } else { n };
    let count: Dim = x.shape.dim(-1).flatten().map(|n| frames(padded(n), fft, stride));
    let mut shape = x.shape.with_last(count);
    shape.0.push(Some(half(fft)));
    Ok(vec![KerasTensor::new(shape.clone(), x.dtype), KerasTensor::new(shape, x.dtype)])
}

/// `istft(...)`: as long as asked for, else as long as the frames reach.
pub(in super::super) fn istft(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let length = op.int("length").map(dim);
    let Some(length) = length else { return Err(op.unknown()) };
    Ok(one(x.shape.without(-1).with_last(length), x.dtype))
}

/// `view_as_complex(x)`: the last axis of two becomes one number.
pub(in super::super) fn as_complex(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(op.x()?.shape.without(-1), DType::Complex64))
}

/// `view_as_real(x)`: one number becomes an axis of two.
pub(in super::super) fn as_real(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let mut shape = op.x()?.shape.clone();
    shape.0.push(Some(2));
    Ok(one(shape, DType::Float32))
}
