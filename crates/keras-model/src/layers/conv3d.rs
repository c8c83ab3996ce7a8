//! `Conv3D`. Source: `keras/src/layers/convolutional/conv3d.py`, Keras 3.15.

use super::conv::Conv;

/// Convolution over three axes: `[batch, depth, rows, columns, channels]` to `[batch, depth, rows, columns, filters]`
/// (`[batch, channels, depth, rows, columns]` with `channels_first`).
pub type Conv3D = Conv<3>;
