//! `Conv2D`. Source: `keras/src/layers/convolutional/conv2d.py`, Keras 3.15.

use super::conv::Conv;

/// Convolution over two axes: `[batch, rows, columns, channels]` to `[batch, rows, columns, filters]`
/// (`[batch, channels, rows, columns]` with `channels_first`).
pub type Conv2D = Conv<2>;
