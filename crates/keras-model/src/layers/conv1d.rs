//! `Conv1D`. Source: `keras/src/layers/convolutional/conv1d.py`, Keras 3.15.

use super::conv::Conv;

/// Convolution over one axis: `[batch, steps, channels]` to `[batch, steps, filters]`
/// (`[batch, channels, steps]` with `channels_first`).
pub type Conv1D = Conv<1>;
