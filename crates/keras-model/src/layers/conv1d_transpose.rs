//! `Conv1DTranspose`. Source: `keras/src/layers/convolutional/conv1d_transpose.py`, Keras 3.15.

use super::conv_transpose::ConvTranspose;

/// Transposed convolution over one axis: `[batch, steps, channels]` to
/// `[batch, steps, filters]`.
pub type Conv1DTranspose = ConvTranspose<1>;
