//! `GRU`. Source: `keras/src/layers/rnn/gru.py`, Keras 3.15.

use super::gru_cell::GRUCell;
use super::recurrent::Recurrent;

/// [`GRUCell`] over the time axis: `[batch, time, features]` to
/// `[batch, units]`, or `[batch, time, units]` with `return_sequences`.
pub type GRU = Recurrent<GRUCell>;
