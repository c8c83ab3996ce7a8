//! `IntegerLookup`. Source: `keras/src/layers/preprocessing/integer_lookup.py`, Keras 3.15.

use super::index_lookup::IndexLookup;

/// The place of a number in a vocabulary, or the other way round.
pub type IntegerLookup = IndexLookup;
