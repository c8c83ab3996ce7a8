//! `AdaptiveMaxPooling1D`. Source:
//! `keras/src/layers/pooling/adaptive_max_pooling1d.py`, Keras 3.15.

use super::adaptive_pooling::AdaptivePooling;

/// The largest value of each of `output_size` windows over one axis:
/// `[batch, steps, channels]` to `[batch, output_size.., channels]`.
pub type AdaptiveMaxPooling1D = AdaptivePooling<1>;
