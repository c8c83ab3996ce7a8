//! `AdaptiveAveragePooling1D`. Source:
//! `keras/src/layers/pooling/adaptive_average_pooling1d.py`, Keras 3.15.

use super::adaptive_pooling::AdaptivePooling;

/// The mean value of each of `output_size` windows over one axis:
/// `[batch, steps, channels]` to `[batch, output_size.., channels]`.
pub type AdaptiveAveragePooling1D = AdaptivePooling<1>;
