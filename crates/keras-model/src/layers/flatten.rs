//! `Flatten`. Source: `keras/src/layers/reshaping/flatten.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::axes::size;
use super::spatial::DataFormat;
use crate::{Call, KerasTensor, Result};

/// All axes but the batch as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flatten {
    /// Where the channels are: they run fastest in either case.
    #[serde(default)]
    pub data_format: DataFormat,
}

impl LayerConfig for Flatten {
    /// `[batch, ..]` to `[batch, product]`; `[batch]` to `[batch, 1]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let [batch, rest @ ..] = call.shape()?.dims() else {
            return Err(call.error("a scalar has no batch axis"));
        };
        call.moved([*batch, size(call, rest)?])
    }
}
