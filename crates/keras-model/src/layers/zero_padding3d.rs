//! `ZeroPadding3D`. Source: `keras/src/layers/reshaping/zero_padding3d.py`, Keras 3.15.

use super::zero_padding::ZeroPadding;

/// Adds zeros at the borders of three axes.
pub type ZeroPadding3D = ZeroPadding<3>;
