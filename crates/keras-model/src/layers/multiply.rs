//! `Multiply`. Source: `keras/src/layers/merging/multiply.py`, Keras 3.15.

use super::merging::Elementwise;

/// The product of its inputs, element by element; shapes broadcast.
pub type Multiply = Elementwise;
