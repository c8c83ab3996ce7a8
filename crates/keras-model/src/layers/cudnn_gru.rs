//! `CuDNNGRU`. Source: `keras/layers/cudnn_recurrent.py`, Keras 2.3.1; gone in Keras 3.

use super::cudnn_rnn::CuDNN;

/// `GRU(reset_after=True)` as cuDNN computes it: `bias [6 · units]`.
pub type CuDNNGRU = CuDNN<3>;
