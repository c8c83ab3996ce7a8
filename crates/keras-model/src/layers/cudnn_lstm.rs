//! `CuDNNLSTM`. Source: `keras/layers/cudnn_recurrent.py`, Keras 2.3.1; gone in Keras 3.

use super::cudnn_rnn::CuDNN;

/// `LSTM` as cuDNN computes it: `bias [8 · units]`.
pub type CuDNNLSTM = CuDNN<4>;
