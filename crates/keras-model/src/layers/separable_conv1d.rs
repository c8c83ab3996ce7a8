//! `SeparableConv1D`. Source: `keras/src/layers/convolutional/separable_conv1d.py`, Keras 3.15.

use super::separable_conv::SeparableConv;

/// Depthwise convolution over one axis, then a product over the channels:
/// `[batch, steps, channels]` to `[batch, steps, filters]`.
pub type SeparableConv1D = SeparableConv<1>;
