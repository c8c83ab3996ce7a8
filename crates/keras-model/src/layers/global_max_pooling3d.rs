//! `GlobalMaxPooling3D`. Source: `keras/src/layers/pooling/global_max_pooling3d.py`, Keras 3.15.

use super::global_pooling::GlobalPooling;

/// The largest value over three axes: `[batch, depth, rows, columns, channels]` to `[batch, channels]`.
pub type GlobalMaxPooling3D = GlobalPooling<3>;
