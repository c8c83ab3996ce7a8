//! `GlobalMaxPooling2D`. Source: `keras/src/layers/pooling/global_max_pooling2d.py`, Keras 3.15.

use super::global_pooling::GlobalPooling;

/// The largest value over two axes: `[batch, rows, columns, channels]` to `[batch, channels]`.
pub type GlobalMaxPooling2D = GlobalPooling<2>;
