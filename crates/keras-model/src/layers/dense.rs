//! `Dense`. Source: `keras/src/layers/core/dense.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, yes};
use crate::activations::Activation;
use crate::dtype::Quantization;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, DType, KerasTensor, Result};

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
    /// How the kernel starts.
    #[serde(default)]
    pub kernel_initializer: Initializer,
    /// How the bias starts.
    #[serde(default = "Initializer::zeros")]
    pub bias_initializer: Initializer,
    /// Penalty on the kernel.
    #[serde(default)]
    pub kernel_regularizer: Option<Regularizer>,
    /// Penalty on the bias.
    #[serde(default)]
    pub bias_regularizer: Option<Regularizer>,
    /// Penalty on the output.
    #[serde(default)]
    pub activity_regularizer: Option<Regularizer>,
    /// What the kernel is forced to after each update.
    #[serde(default)]
    pub kernel_constraint: Option<Constraint>,
    /// What the bias is forced to after each update.
    #[serde(default)]
    pub bias_constraint: Option<Constraint>,
    /// Rank of the LoRA update, if there is one.
    #[serde(default)]
    pub lora_rank: Option<usize>,
    /// Scale of the LoRA update; the rank by default.
    #[serde(default)]
    pub lora_alpha: Option<crate::json::Float>,
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
        let dtype = call.base.dtype.variable;
        let bias = || self.use_bias.then(|| VariableSpec::new("bias", [self.units], dtype));
        let Some(mode) = &call.base.dtype.quantization else {
            let mut own = vec![VariableSpec::new("kernel", [features, self.units], dtype)];
            own.extend(bias());
            let Some(rank) = self.lora_rank else { return Ok(Variables::of(own)) };
            // Enabling LoRA freezes the kernel; `.keras` files hold it merged.
            let saved = own.iter().map(|v| v.name.clone()).collect();
            own.extend([
                VariableSpec::new("lora_kernel_a", [features, rank], DType::Float32),
                VariableSpec::new("lora_kernel_b", [rank, self.units], DType::Float32),
            ]);
            if let Some(kernel) = own.first_mut() {
                kernel.trainable = false;
            }
            own.sort_by_key(|v| !v.trainable);
            return Ok(Variables { own, saved: Some(saved), ..Variables::none() });
        };
        let own = match mode {
            Quantization::Int8 => {
                let mut own: Vec<_> = bias().into_iter().collect();
                own.push(VariableSpec::non_trainable(
                    "kernel",
                    [features, self.units],
                    DType::Int8,
                ));
                own.push(VariableSpec::non_trainable("kernel_scale", [self.units], dtype));
                own
            }
            _ => return Err(call.error("this quantization mode is not supported yet")),
        };
        Ok(Variables::of(own))
    }
}
