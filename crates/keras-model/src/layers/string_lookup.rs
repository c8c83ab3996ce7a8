//! `StringLookup`. Source: `keras/src/layers/preprocessing/string_lookup.py`, Keras 3.15.

use super::index_lookup::IndexLookup;

/// The place of a string in a vocabulary, or the other way round.
pub type StringLookup = IndexLookup;
