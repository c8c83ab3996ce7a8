//! `MaxPooling3D`. Source: `keras/src/layers/pooling/max_pooling3d.py`, Keras 3.15.

use super::pooling::Pooling;

/// The largest value of each window over three axes: `[batch, depth, rows, columns, channels]` to the same
/// axes with one element per window.
pub type MaxPooling3D = Pooling<3>;
