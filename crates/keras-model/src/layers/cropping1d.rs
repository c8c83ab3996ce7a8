//! `Cropping1D`. Source: `keras/src/layers/reshaping/cropping1d.py`, Keras 3.15.

use super::cropping::Cropping;

/// Drops elements at the borders of one axis.
pub type Cropping1D = Cropping<1>;
