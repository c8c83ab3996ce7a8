//! `ConvLSTM2DCell`. Source: `keras/layers/convolutional_recurrent.py`, Keras 2.3.1.

use super::conv_lstm::ConvLSTMCell;

/// The cell of `ConvLSTM2D`, which Keras 2 also has on its own.
pub type ConvLSTM2DCell = ConvLSTMCell<2>;
