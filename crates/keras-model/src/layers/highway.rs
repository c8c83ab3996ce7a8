//! `Highway`. Source: `keras/layers/core.py`, Keras 1.2.2; gone in Keras 2.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Today, yes};
use crate::activations::Activation;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `t · activation(x · kernel + bias) + (1 - t) · x` with `t = σ(x · carry_kernel + carry_bias)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Highway {
    /// Applied to the transformed part; `linear` by default.
    #[serde(default)]
    pub activation: Activation,
    /// Whether biases are added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How the kernels start.
    #[serde(default)]
    pub kernel_initializer: Initializer,
    /// Penalty on the kernel.
    #[serde(default)]
    pub kernel_regularizer: Option<Regularizer>,
    /// Penalty on the bias.
    #[serde(default)]
    pub bias_regularizer: Option<Regularizer>,
    /// What the kernel is forced to after each update.
    #[serde(default)]
    pub kernel_constraint: Option<Constraint>,
    /// What the bias is forced to after each update.
    #[serde(default)]
    pub bias_constraint: Option<Constraint>,
}

impl LayerConfig for Highway {
    /// `[batch, features]` stays as it is.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.shape_of_rank(2)?;
        call.same()
    }

    /// `kernel`, `carry_kernel`, each `[features, features]`; `bias`, `carry_bias`, `[features]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let dtype = call.base.dtype.variable;
        let mut own: Vec<_> = ["kernel", "carry_kernel"]
            .map(|name| VariableSpec::new(name, [features, features], dtype))
            .into();
        if self.use_bias {
            own.extend(
                ["bias", "carry_bias"].map(|name| VariableSpec::new(name, [features], dtype)),
            );
        }
        Ok(Variables::of(own))
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
