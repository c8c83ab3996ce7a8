//! `MaxPooling1D`. Source: `keras/src/layers/pooling/max_pooling1d.py`, Keras 3.15.

use super::pooling::Pooling;

/// The largest value of each window over one axis: `[batch, steps, channels]` to the same
/// axes with one element per window.
pub type MaxPooling1D = Pooling<1>;
