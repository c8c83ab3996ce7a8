//! `SeparableConv2D`. Source: `keras/src/layers/convolutional/separable_conv2d.py`, Keras 3.15.

use super::separable_conv::SeparableConv;

/// Depthwise convolution over two axes, then a product over the channels:
/// `[batch, rows, columns, channels]` to `[batch, rows, columns, filters]`.
pub type SeparableConv2D = SeparableConv<2>;
