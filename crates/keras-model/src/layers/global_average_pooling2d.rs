//! `GlobalAveragePooling2D`. Source:
//! `keras/src/layers/pooling/global_average_pooling2d.py`, Keras 3.15.

use super::global_pooling::GlobalPooling;

/// The mean value over two axes: `[batch, rows, columns, channels]` to `[batch, channels]`.
pub type GlobalAveragePooling2D = GlobalPooling<2>;
