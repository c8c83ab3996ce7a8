//! `SimpleRNN`. Source: `keras/src/layers/rnn/simple_rnn.py`, Keras 3.15.

use super::recurrent::Recurrent;
use super::simple_rnn_cell::SimpleRNNCell;

/// [`SimpleRNNCell`] over the time axis: `[batch, time, features]` to
/// `[batch, units]`, or `[batch, time, units]` with `return_sequences`.
pub type SimpleRNN = Recurrent<SimpleRNNCell>;
