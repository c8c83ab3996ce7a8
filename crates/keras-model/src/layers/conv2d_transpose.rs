//! `Conv2DTranspose`. Source: `keras/src/layers/convolutional/conv2d_transpose.py`, Keras 3.15.

use super::conv_transpose::ConvTranspose;

/// Transposed convolution over two axes: `[batch, rows, columns, channels]` to
/// `[batch, rows, columns, filters]`.
pub type Conv2DTranspose = ConvTranspose<2>;
