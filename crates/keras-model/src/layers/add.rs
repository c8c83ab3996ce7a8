//! `Add`. Source: `keras/src/layers/merging/add.py`, Keras 3.15.

use super::merging::Elementwise;

/// The sum of its inputs, element by element; shapes broadcast.
pub type Add = Elementwise;
