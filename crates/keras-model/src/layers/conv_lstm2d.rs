//! `ConvLSTM2D`. Source: `keras/src/layers/rnn/conv_lstm2d.py`, Keras 3.15.

use super::conv_lstm::ConvLSTM;

/// LSTM whose products are convolutions over two axes:
/// `[batch, time, rows, columns, channels]` to `[batch, rows, columns, filters]`.
pub type ConvLSTM2D = ConvLSTM<2>;
