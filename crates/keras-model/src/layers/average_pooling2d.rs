//! `AveragePooling2D`. Source: `keras/src/layers/pooling/average_pooling2d.py`, Keras 3.15.

use super::pooling::Pooling;

/// The mean value of each window over two axes: `[batch, rows, columns, channels]` to the same
/// axes with one element per window.
pub type AveragePooling2D = Pooling<2>;
