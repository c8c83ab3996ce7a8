//! `MaxoutDense`. Source: `keras/layers/core.py`, Keras 1.2.2; gone in Keras 2.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Today, yes};
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// The largest of several `x · kernel + bias`, element by element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxoutDense {
    /// Length of the output.
    pub units: usize,
    /// How many there are to choose from.
    #[serde(default = "four")]
    pub nb_feature: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How the kernel starts.
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

const fn four() -> usize {
    4
}

impl LayerConfig for MaxoutDense {
    /// `[batch, features]` to `[batch, units]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(call.output(call.shape_of_rank(2)?.with_last(self.units)))
    }

    /// `kernel [nb_feature, features, units]`, `bias [nb_feature, units]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let features = call.known_dim(-1)?;
        let dtype = call.base.dtype.variable;
        let kernel = [self.nb_feature, features, self.units];
        let mut own = vec![VariableSpec::new("kernel", kernel, dtype)];
        let bias = [self.nb_feature, self.units];
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", bias, dtype)));
        Ok(Variables::of(own))
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
