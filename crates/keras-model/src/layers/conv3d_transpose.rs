//! `Conv3DTranspose`. Source: `keras/src/layers/convolutional/conv3d_transpose.py`, Keras 3.15.

use super::conv_transpose::ConvTranspose;

/// Transposed convolution over three axes: `[batch, depth, rows, columns, channels]` to
/// `[batch, depth, rows, columns, filters]`.
pub type Conv3DTranspose = ConvTranspose<3>;
