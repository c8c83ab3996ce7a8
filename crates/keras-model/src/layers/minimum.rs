//! `Minimum`. Source: `keras/src/layers/merging/minimum.py`, Keras 3.15.

use super::merging::Elementwise;

/// The smallest of its inputs, element by element; shapes broadcast.
pub type Minimum = Elementwise;
