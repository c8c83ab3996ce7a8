//! `AdaptiveAveragePooling2D`. Source:
//! `keras/src/layers/pooling/adaptive_average_pooling2d.py`, Keras 3.15.

use super::adaptive_pooling::AdaptivePooling;

/// The mean value of each of `output_size` windows over two axes:
/// `[batch, rows, columns, channels]` to `[batch, output_size.., channels]`.
pub type AdaptiveAveragePooling2D = AdaptivePooling<2>;
