//! `AdaptiveMaxPooling3D`. Source:
//! `keras/src/layers/pooling/adaptive_max_pooling3d.py`, Keras 3.15.

use super::adaptive_pooling::AdaptivePooling;

/// The largest value of each of `output_size` windows over three axes:
/// `[batch, depth, rows, columns, channels]` to `[batch, output_size.., channels]`.
pub type AdaptiveMaxPooling3D = AdaptivePooling<3>;
