//! `LSTM`. Source: `keras/src/layers/rnn/lstm.py`, Keras 3.15.

use super::lstm_cell::LSTMCell;
use super::recurrent::Recurrent;

/// [`LSTMCell`] over the time axis: `[batch, time, features]` to
/// `[batch, units]`, or `[batch, time, units]` with `return_sequences`.
pub type LSTM = Recurrent<LSTMCell>;
