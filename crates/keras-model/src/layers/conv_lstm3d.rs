//! `ConvLSTM3D`. Source: `keras/src/layers/rnn/conv_lstm3d.py`, Keras 3.15.

use super::conv_lstm::ConvLSTM;

/// LSTM whose products are convolutions over three axes:
/// `[batch, time, depth, rows, columns, channels]` to `[batch, depth, rows, columns, filters]`.
pub type ConvLSTM3D = ConvLSTM<3>;
