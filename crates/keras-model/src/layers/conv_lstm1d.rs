//! `ConvLSTM1D`. Source: `keras/src/layers/rnn/conv_lstm1d.py`, Keras 3.15.

use super::conv_lstm::ConvLSTM;

/// LSTM whose products are convolutions over one axis:
/// `[batch, time, steps, channels]` to `[batch, steps, filters]`.
pub type ConvLSTM1D = ConvLSTM<1>;
