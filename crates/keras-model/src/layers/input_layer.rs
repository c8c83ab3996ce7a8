//! `InputLayer`. Source: `keras/src/layers/core/input_layer.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use crate::{Call, DType, KerasTensor, Result, Shape};

/// Where data enters a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputLayer {
    /// Shape of a batch; the first axis counts samples.
    pub batch_shape: Shape,
    /// Whether the data is sparse.
    #[serde(default)]
    pub sparse: bool,
    /// Whether the data is ragged.
    #[serde(default)]
    pub ragged: bool,
    /// Whether `None` may be given.
    #[serde(default)]
    pub optional: bool,
    /// Element type of the data: here `dtype` is that, not a policy for weights.
    #[serde(default = "float32")]
    pub dtype: DType,
}

const fn float32() -> DType {
    DType::Float32
}

impl LayerConfig for InputLayer {
    /// `batch_shape`, whatever it is called with.
    fn output(&self, _call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(vec![KerasTensor::new(self.batch_shape.clone(), self.dtype)])
    }
}
