//! `UpSampling2D`. Source: `keras/src/layers/reshaping/up_sampling2d.py`, Keras 3.15.

use super::up_sampling::UpSampling;

/// Makes two axes longer by whole factors.
pub type UpSampling2D = UpSampling<2>;
