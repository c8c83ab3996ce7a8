//! `RandomFourierFeatures`. Source: `tf_keras/src/layers/kernelized.py`, 2.21; gone in Keras 3.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LayerConfig, Today};
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, DType, KerasTensor, Result};

/// `cos(x · unscaled_kernel / kernel_scale + bias)`: random features that approximate a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomFourierFeatures {
    /// Number of features.
    pub output_dim: usize,
    /// `gaussian`, `laplacian`, or how the kernel starts.
    #[serde(default = "gaussian")]
    pub kernel_initializer: Value,
    /// Where the scale starts; from the length of the input by default.
    #[serde(default)]
    pub scale: Option<Float>,
}

fn gaussian() -> Value {
    "gaussian".into()
}

impl LayerConfig for RandomFourierFeatures {
    /// `[batch, features]` to `[batch, output_dim]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(call.output(call.shape_of_rank(2)?.with_last(self.output_dim)))
    }

    /// `kernel_scale [1]`; fixed: `unscaled_kernel [features, output_dim]`, `bias [output_dim]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let kernel = [call.known_dim(-1)?, self.output_dim];
        let dtype = DType::Float32;
        Ok(Variables::of(vec![
            VariableSpec::new("kernel_scale", [1], dtype),
            VariableSpec::non_trainable("unscaled_kernel", kernel, dtype),
            VariableSpec::non_trainable("bias", [self.output_dim], dtype),
        ]))
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
