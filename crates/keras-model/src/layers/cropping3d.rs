//! `Cropping3D`. Source: `keras/src/layers/reshaping/cropping3d.py`, Keras 3.15.

use super::cropping::Cropping;

/// Drops elements at the borders of three axes.
pub type Cropping3D = Cropping<3>;
