//! `AveragePooling1D`. Source: `keras/src/layers/pooling/average_pooling1d.py`, Keras 3.15.

use super::pooling::Pooling;

/// The mean value of each window over one axis: `[batch, steps, channels]` to the same
/// axes with one element per window.
pub type AveragePooling1D = Pooling<1>;
