//! `DepthwiseConv1D`. Source: `keras/src/layers/convolutional/depthwise_conv1d.py`, Keras 3.15.

use super::depthwise_conv::DepthwiseConv;

/// Convolution of each channel by itself over one axis: `[batch, steps, channels]` to
/// `[batch, steps, channels · depth_multiplier]`.
pub type DepthwiseConv1D = DepthwiseConv<1>;
