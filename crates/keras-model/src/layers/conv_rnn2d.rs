//! `ConvRNN2D`. Source: `keras/layers/convolutional_recurrent.py`, Keras 2.3.1; gone in Keras 3.

use super::rnn::RNN;

/// Runs a convolutional cell over the time axis.
pub type ConvRNN2D = RNN;
