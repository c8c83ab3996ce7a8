//! `GlobalAveragePooling1D`. Source:
//! `keras/src/layers/pooling/global_average_pooling1d.py`, Keras 3.15.

use super::global_pooling::GlobalPooling;

/// The mean value over one axis: `[batch, steps, channels]` to `[batch, channels]`.
pub type GlobalAveragePooling1D = GlobalPooling<1>;
