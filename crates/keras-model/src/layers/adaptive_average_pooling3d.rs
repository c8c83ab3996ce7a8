//! `AdaptiveAveragePooling3D`. Source:
//! `keras/src/layers/pooling/adaptive_average_pooling3d.py`, Keras 3.15.

use super::adaptive_pooling::AdaptivePooling;

/// The mean value of each of `output_size` windows over three axes:
/// `[batch, depth, rows, columns, channels]` to `[batch, output_size.., channels]`.
pub type AdaptiveAveragePooling3D = AdaptivePooling<3>;
