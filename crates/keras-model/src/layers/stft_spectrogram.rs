//! `STFTSpectrogram`. Source: `keras/src/layers/preprocessing/stft_spectrogram.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::spatial::{DataFormat, Padding, Window, channels};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result, Shape};

/// The short-time Fourier transform as a convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct STFTSpectrogram {
    /// What is given of the complex spectrum.
    #[serde(default)]
    pub mode: Mode,
    /// Samples of a frame.
    #[serde(default = "frame_length")]
    pub frame_length: usize,
    /// Samples between frames; half a frame by default.
    #[serde(default)]
    pub frame_step: Option<usize>,
    /// Length of the transform; the next power of two by default.
    #[serde(default)]
    pub fft_length: Option<usize>,
    /// The window function: a name, or parameters of one.
    #[serde(default = "hann")]
    pub window: serde_json::Value,
    /// Whether the window is periodic rather than symmetric.
    #[serde(default)]
    pub periodic: bool,
    /// `density`, `spectrum` or `null`: what the window is divided by.
    #[serde(default = "density")]
    pub scaling: Option<String>,
    /// What happens at the edges.
    #[serde(default)]
    pub padding: Padding,
    /// Whether frequencies get an axis of their own.
    #[serde(default)]
    pub expand_dims: bool,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
}

/// What is given of a complex spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The logarithm of the power density.
    #[default]
    Log,
    /// The magnitude.
    Magnitude,
    /// The power density.
    Psd,
    /// The real part.
    Real,
    /// The imaginary part.
    Imag,
    /// The phase.
    Angle,
    /// Real and imaginary part side by side.
    Stft,
}

const fn frame_length() -> usize {
    256
}

fn hann() -> serde_json::Value {
    "hann".into()
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn density() -> Option<String> {
    Some("density".into())
}

impl STFTSpectrogram {
    /// Frequencies of the spectrum: half the length of the transform, and zero.
    fn frequencies(&self, call: &Call<'_>) -> Result<usize> {
        let length = match self.fft_length.filter(|n| *n > 0) {
            Some(length) => Some(length),
            None => self.frame_length.checked_next_power_of_two(),
        };
        let length = length.ok_or_else(|| call.error("frame_length is too large"))?;
        call.sum([length >> 1, 1])
    }
}

impl LayerConfig for STFTSpectrogram {
    /// `[batch, samples, channels]` to `[batch, frames, frequencies · channels]`, or with
    /// `expand_dims` to `[batch, frames, frequencies, channels]`; `stft` has twice as many.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let channels = channels(call, self.data_format, 1)?;
        let parts = if self.mode == Mode::Stft { 2 } else { 1 };
        let frequencies = call.product([self.frequencies(call)?, parts])?;
        let window = Window {
            size: &[self.frame_length],
            strides: &[self.frame_step.filter(|n| *n > 0).unwrap_or(self.frame_length >> 1)],
            dilation: &[1],
            padding: self.padding,
            data_format: self.data_format,
        };
        let shape = window.output(call, Some(call.product([frequencies, channels])?))?;
        if !self.expand_dims {
            return Ok(call.output(shape));
        }
        let batch = shape.dim(0).flatten();
        let frames = self.data_format.spatial(&shape).first().copied().flatten();
        let (frequencies, channels) = (Some(frequencies), Some(channels));
        Ok(call.output(match self.data_format {
            DataFormat::ChannelsLast => Shape::from([batch, frames, frequencies, channels]),
            DataFormat::ChannelsFirst => Shape::from([batch, channels, frames, frequencies]),
        }))
    }

    /// `real_kernel` and `imag_kernel`, each `[frame_length, 1, frequencies]`, as the mode needs
    /// them. They start as the transform and can be trained.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let shape = [self.frame_length, 1, self.frequencies(call)?];
        let kernel = |name| VariableSpec::new(name, shape, call.base.dtype.variable);
        let real = (self.mode != Mode::Imag).then(|| kernel("real_kernel"));
        let imag = (self.mode != Mode::Real).then(|| kernel("imag_kernel"));
        Ok(Variables::of(real.into_iter().chain(imag).collect()))
    }
}
