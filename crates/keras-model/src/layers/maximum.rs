//! `Maximum`. Source: `keras/src/layers/merging/maximum.py`, Keras 3.15.

use super::merging::Elementwise;

/// The largest of its inputs, element by element; shapes broadcast.
pub type Maximum = Elementwise;
