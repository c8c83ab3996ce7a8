//! `AveragePooling3D`. Source: `keras/src/layers/pooling/average_pooling3d.py`, Keras 3.15.

use super::pooling::Pooling;

/// The mean value of each window over three axes: `[batch, depth, rows, columns, channels]` to the same
/// axes with one element per window.
pub type AveragePooling3D = Pooling<3>;
