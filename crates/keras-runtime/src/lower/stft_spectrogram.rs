//! `STFTSpectrogram`.

use keras_model::layers::spatial::DataFormat;
use keras_model::layers::stft_spectrogram::{Mode, STFTSpectrogram};

use super::{Call, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{self, Arithmetic, Function, PadMode};

/// `keras.config.epsilon()`.
const EPSILON: f64 = 1e-7;

pub(super) fn lower(
    layer: &STFTSpectrogram,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let real = |b: &mut Builder<'_>| convolve(layer, b, x, "real_kernel");
    let imag = |b: &mut Builder<'_>| convolve(layer, b, x, "imag_kernel");
    let y = match layer.mode {
        Mode::Real => real(b)?,
        Mode::Imag => imag(b)?,
        Mode::Angle => {
            let (real, imag) = (real(b)?, imag(b)?);
            b.binary(Arithmetic::Atan2, imag, real)?
        }
        Mode::Stft => {
            let parts = [real(b)?, imag(b)?];
            b.concat(&parts, 2)?
        }
        Mode::Log | Mode::Magnitude | Mode::Psd => {
            let (real, imag) = (real(b)?, imag(b)?);
            let (real, imag) = (b.unary(Function::Square, real)?, b.unary(Function::Square, imag)?);
            let power = b.add(real, imag)?;
            if layer.mode == Mode::Psd {
                // All frequencies but the first and the last stand for two.
                let n = b.dim(power, 2)?;
                let inner = b.slice(power, 2, 1.min(n), n.saturating_sub(1).max(1.min(n)))?;
                let lost = n - b.dim(inner, 2)?;
                let borders = [(0, 0), (0, 0), (lost.min(1), lost.saturating_sub(1)), (0, 0)];
                let twice = b.pad(inner, &borders, PadMode::Constant(0.0))?;
                b.add(power, twice)?
            } else {
                let power = b.with_number(Arithmetic::Max, power, EPSILON)?;
                let magnitude = b.unary(Function::Sqrt, power)?;
                if layer.mode == Mode::Log {
                    let magnitude = b.with_number(Arithmetic::Max, magnitude, EPSILON)?;
                    b.unary(Function::Log, magnitude)?
                } else {
                    magnitude
                }
            }
        }
    };
    Ok(vec![arrange(layer, b, y)?])
}

/// Each channel with a kernel: `[batch, channels, frequencies, frames]`.
fn convolve(layer: &STFTSpectrogram, b: &mut Builder<'_>, x: Value, kernel: &str) -> Result<Value> {
    let x = match layer.data_format {
        DataFormat::ChannelsLast => b.transpose(x, vec![0, 2, 1])?,
        DataFormat::ChannelsFirst => x,
    };
    let &[batch, channels, samples] = b.shape(x) else {
        return Err(b.error(format!("expected 3 axes, found shape {:?}", b.shape(x))));
    };
    let x = b.reshape(x, [batch * channels, samples, 1])?;
    let step = layer.frame_step.filter(|n| *n > 0).unwrap_or(layer.frame_length / 2);
    let window = spatial::window(b, x, &[layer.frame_length], &[step], &[1], layer.padding)?;
    let kernel = b.weight(kernel)?;
    let kernel = b.cast(kernel, b.dtype(x))?;
    let y = b.op(ops::Conv::new(window, 1), &[x, kernel])?;
    let y = b.transpose(y, vec![0, 2, 1])?;
    let &[_, frequencies, frames] = b.shape(y) else { return Ok(y) };
    b.reshape(y, [batch, channels, frequencies, frames])
}

/// The axes where the format wants them.
fn arrange(layer: &STFTSpectrogram, b: &mut Builder<'_>, y: Value) -> Result<Value> {
    let &[batch, channels, frequencies, frames] = b.shape(y) else { return Ok(y) };
    let last = layer.data_format == DataFormat::ChannelsLast;
    if layer.expand_dims {
        return b.transpose(y, if last { vec![0, 3, 2, 1] } else { vec![0, 1, 3, 2] });
    }
    let y = b.reshape(y, [batch, channels * frequencies, frames])?;
    if last { b.transpose(y, vec![0, 2, 1]) } else { Ok(y) }
}
