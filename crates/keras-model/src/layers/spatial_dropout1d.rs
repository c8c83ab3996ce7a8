//! `SpatialDropout1D`. Source: `keras/src/layers/regularization/spatial_dropout.py`, Keras 3.15.

use super::spatial_dropout::SpatialDropout;

/// Drops whole channels while training: the noise is the same along one axis.
pub type SpatialDropout1D = SpatialDropout<1>;
