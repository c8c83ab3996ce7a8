//! `Dense`. Source: `keras/src/layers/core/dense.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arrays::KernelAndBias;
use super::quantized::{Kernel, Lora};
use super::{LayerConfig, Mask, yes};
use crate::activations::Activation;
use crate::variables::Variables;
use crate::{Call, KerasTensor, Result};

/// `activation(x · kernel + bias)` along the last axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// Length of the last axis of the output.
    pub units: usize,
    /// Applied to each element; `linear` by default.
    #[serde(default)]
    pub activation: Activation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How kernel and bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: KernelAndBias,
    /// How it was quantised, where that is more than its policy says.
    #[serde(default)]
    pub quantization_config: Option<Value>,
    /// The low-rank update of the kernel, if there is one.
    #[serde(flatten)]
    pub lora: Lora,
}

impl LayerConfig for Dense {
    /// `[.., features]` to `[.., units]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.known_dim(-1)?;
        Ok(call.output(call.shape()?.with_last(self.units)))
    }

    /// `kernel [features, units]`, `bias [units]`; quantised and LoRA layers have more.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let kernel = Kernel {
            shape: vec![features, self.units],
            rows: features,
            columns: self.units,
            scale: vec![self.units],
            zero_point: "kernel_zero",
        };
        let bias = [self.units];
        let bias = self.use_bias.then_some(&bias[..]);
        kernel.variables(call, bias, self.lora, self.quantization_config.as_ref())
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
