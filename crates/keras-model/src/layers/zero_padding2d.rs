//! `ZeroPadding2D`. Source: `keras/src/layers/reshaping/zero_padding2d.py`, Keras 3.15.

use super::zero_padding::ZeroPadding;

/// Adds zeros at the borders of two axes.
pub type ZeroPadding2D = ZeroPadding<2>;
