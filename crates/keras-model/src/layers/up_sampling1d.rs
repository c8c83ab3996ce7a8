//! `UpSampling1D`. Source: `keras/src/layers/reshaping/up_sampling1d.py`, Keras 3.15.

use super::up_sampling::UpSampling;

/// Makes one axis longer by whole factors.
pub type UpSampling1D = UpSampling<1>;
