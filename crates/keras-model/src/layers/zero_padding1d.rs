//! `ZeroPadding1D`. Source: `keras/src/layers/reshaping/zero_padding1d.py`, Keras 3.15.

use super::zero_padding::ZeroPadding;

/// Adds zeros at the borders of one axis.
pub type ZeroPadding1D = ZeroPadding<1>;
