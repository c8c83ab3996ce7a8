//! `LayerNormalization`. Source: `keras/src/layers/normalization/layer_normalization.py`,
//! Keras 3.15.

use serde::{Deserialize, Serialize};

use super::axes::{Axes, last};
use super::{LayerConfig, Mask, yes};
use crate::json::Float;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `gamma · (x - mean) / √(variance + epsilon) + beta`, with the statistics of each sample over
/// `axis`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerNormalization {
    /// The axes of the statistics, and of `gamma` and `beta`.
    #[serde(default = "last")]
    pub axis: Axes,
    /// Added to the variance.
    #[serde(default = "epsilon")]
    pub epsilon: Float,
    /// Whether there is a `beta`.
    #[serde(default = "yes")]
    pub center: bool,
    /// Whether there is a `gamma`.
    #[serde(default = "yes")]
    pub scale: bool,
    /// Whether it only divides by the variance (sic): no mean, no `beta`.
    #[serde(default)]
    pub rms_scaling: bool,
    /// How `beta` starts.
    #[serde(default = "Initializer::zeros")]
    pub beta_initializer: Initializer,
    /// How `gamma` starts.
    #[serde(default = "Initializer::ones")]
    pub gamma_initializer: Initializer,
    /// Penalty on `beta`.
    #[serde(default)]
    pub beta_regularizer: Option<Regularizer>,
    /// Penalty on `gamma`.
    #[serde(default)]
    pub gamma_regularizer: Option<Regularizer>,
    /// What `beta` is forced to after each update.
    #[serde(default)]
    pub beta_constraint: Option<Constraint>,
    /// What `gamma` is forced to after each update.
    #[serde(default)]
    pub gamma_constraint: Option<Constraint>,
}

const fn epsilon() -> Float {
    Float(1e-3)
}

impl LayerConfig for LayerNormalization {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.axis.of(call)?;
        call.same()
    }

    /// `gamma` and `beta` with the lengths of `axis`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let shape = self.axis.lengths(call)?;
        let variable = |name| VariableSpec::new(name, shape.clone(), call.base.dtype.variable);
        let gamma = (self.scale || self.rms_scaling).then(|| variable("gamma"));
        let beta = (self.center && !self.rms_scaling).then(|| variable("beta"));
        Ok(Variables::of(gamma.into_iter().chain(beta).collect()))
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
