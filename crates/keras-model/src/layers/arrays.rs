//! How the arrays of a layer start, and what training does to them: arguments that many layers
//! have. Source: `keras/src/layers/core/dense.py`, `keras/src/layers/rnn/lstm.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use crate::objects::{Constraint, Initializer, Regularizer};

/// Of a kernel and a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelAndBias {
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
    /// What the kernel is forced to after each update.
    #[serde(default)]
    pub kernel_constraint: Option<Constraint>,
    /// What the bias is forced to after each update.
    #[serde(default)]
    pub bias_constraint: Option<Constraint>,
}

impl Default for KernelAndBias {
    fn default() -> Self {
        Self {
            kernel_initializer: Initializer::default(),
            bias_initializer: Initializer::zeros(),
            kernel_regularizer: None,
            bias_regularizer: None,
            kernel_constraint: None,
            bias_constraint: None,
        }
    }
}

/// Of the kernels for the input and for the state, and of the bias of a recurrent layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecurrentKernels {
    /// How the kernel starts.
    #[serde(default)]
    pub kernel_initializer: Initializer,
    /// How the recurrent kernel starts.
    #[serde(default = "Initializer::orthogonal")]
    pub recurrent_initializer: Initializer,
    /// How the bias starts.
    #[serde(default = "Initializer::zeros")]
    pub bias_initializer: Initializer,
    /// Penalty on the kernel.
    #[serde(default)]
    pub kernel_regularizer: Option<Regularizer>,
    /// Penalty on the recurrent kernel.
    #[serde(default)]
    pub recurrent_regularizer: Option<Regularizer>,
    /// Penalty on the bias.
    #[serde(default)]
    pub bias_regularizer: Option<Regularizer>,
    /// What the kernel is forced to after each update.
    #[serde(default)]
    pub kernel_constraint: Option<Constraint>,
    /// What the recurrent kernel is forced to after each update.
    #[serde(default)]
    pub recurrent_constraint: Option<Constraint>,
    /// What the bias is forced to after each update.
    #[serde(default)]
    pub bias_constraint: Option<Constraint>,
}
