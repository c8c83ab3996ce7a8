//! `MelSpectrogram`. Source: `keras/src/layers/preprocessing/mel_spectrogram.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use crate::json::Float;
use crate::{Call, Dim, KerasTensor, Result, Shape};

/// The strength of the bands of the mel scale over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MelSpectrogram {
    /// Length of the Fourier transform.
    #[serde(default = "fft_length")]
    pub fft_length: usize,
    /// Samples between frames.
    #[serde(default = "sequence_stride")]
    pub sequence_stride: usize,
    /// Samples of a frame; `fft_length` by default.
    #[serde(default)]
    pub sequence_length: Option<usize>,
    /// Name of the window function.
    #[serde(default)]
    pub window: Option<String>,
    /// Samples per second.
    #[serde(default = "sampling_rate")]
    pub sampling_rate: Float,
    /// Number of bands.
    #[serde(default = "num_mel_bins")]
    pub num_mel_bins: usize,
    /// Lowest frequency.
    #[serde(default = "min_freq")]
    pub min_freq: Float,
    /// Highest frequency; half the sampling rate by default.
    #[serde(default)]
    pub max_freq: Option<Float>,
    /// Whether the result is in decibels.
    #[serde(default = "super::yes")]
    pub power_to_db: bool,
    /// How far below the peak decibels go.
    #[serde(default = "top_db")]
    pub top_db: Option<Float>,
    /// Power of the magnitude: 2 for energy.
    #[serde(default = "mag_exp")]
    pub mag_exp: Float,
    /// Smallest power before the logarithm.
    #[serde(default = "min_power")]
    pub min_power: Float,
    /// Power of 0 decibels.
    #[serde(default = "ref_power")]
    pub ref_power: Float,
}

const fn fft_length() -> usize {
    2048
}

const fn sequence_stride() -> usize {
    512
}

const fn sampling_rate() -> Float {
    Float(16_000.0)
}

const fn num_mel_bins() -> usize {
    128
}

const fn min_freq() -> Float {
    Float(20.0)
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
const fn top_db() -> Option<Float> {
    Some(Float(80.0))
}

const fn mag_exp() -> Float {
    Float(2.0)
}

const fn min_power() -> Float {
    Float(1e-10)
}

const fn ref_power() -> Float {
    Float(1.0)
}

impl LayerConfig for MelSpectrogram {
    /// `[batch, samples]` (or `[samples]`) to `[batch, num_mel_bins, frames]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape()?;
        let Some((samples, batch)) = shape.dims().split_last().filter(|_| shape.rank() <= 2) else {
            return Err(call.error(format!("expected [batch, samples], found shape {shape}")));
        };
        let stride = self.sequence_stride;
        if stride == 0 {
            return Err(call.error("sequence_stride must not be 0"));
        }
        let frames = |n: usize| Ok(call.sum([n, stride, 1])?.checked_div(stride).unwrap_or(0));
        let frames: Dim = samples.map(frames).transpose()?;
        let mut dims = batch.to_vec();
        dims.extend([Some(self.num_mel_bins), frames]);
        Ok(call.output(Shape(dims)))
    }
}
