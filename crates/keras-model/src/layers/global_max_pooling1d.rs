//! `GlobalMaxPooling1D`. Source: `keras/src/layers/pooling/global_max_pooling1d.py`, Keras 3.15.

use super::global_pooling::GlobalPooling;

/// The largest value over one axis: `[batch, steps, channels]` to `[batch, channels]`.
pub type GlobalMaxPooling1D = GlobalPooling<1>;
