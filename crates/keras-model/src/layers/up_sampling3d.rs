//! `UpSampling3D`. Source: `keras/src/layers/reshaping/up_sampling3d.py`, Keras 3.15.

use super::up_sampling::UpSampling;

/// Makes three axes longer by whole factors.
pub type UpSampling3D = UpSampling<3>;
