//! `DepthwiseConv2D`. Source: `keras/src/layers/convolutional/depthwise_conv2d.py`, Keras 3.15.

use super::depthwise_conv::DepthwiseConv;

/// Convolution of each channel by itself over two axes: `[batch, rows, columns, channels]` to
/// `[batch, rows, columns, channels · depth_multiplier]`.
pub type DepthwiseConv2D = DepthwiseConv<2>;
