//! `Cropping2D`. Source: `keras/src/layers/reshaping/cropping2d.py`, Keras 3.15.

use super::cropping::Cropping;

/// Drops elements at the borders of two axes.
pub type Cropping2D = Cropping<2>;
