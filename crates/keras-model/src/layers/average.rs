//! `Average`. Source: `keras/src/layers/merging/average.py`, Keras 3.15.

use super::merging::Elementwise;

/// The mean of its inputs, element by element; shapes broadcast.
pub type Average = Elementwise;
