//! `GlobalAveragePooling3D`. Source:
//! `keras/src/layers/pooling/global_average_pooling3d.py`, Keras 3.15.

use super::global_pooling::GlobalPooling;

/// The mean value over three axes: `[batch, depth, rows, columns, channels]` to `[batch, channels]`.
pub type GlobalAveragePooling3D = GlobalPooling<3>;
