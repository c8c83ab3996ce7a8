//! `GroupNormalization`. Source: `keras/src/layers/normalization/group_normalization.py`,
//! Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask, yes};
use crate::json::Float;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `gamma · (x - mean) / √(variance + epsilon) + beta`, with the statistics of each group of
/// channels of each sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupNormalization {
    /// Number of groups; -1 for one per channel.
    #[serde(default = "groups")]
    pub groups: i64,
    /// The axis of the channels.
    #[serde(default = "axis")]
    pub axis: i64,
    /// Added to the variance.
    #[serde(default = "epsilon")]
    pub epsilon: Float,
    /// Whether there is a `beta`.
    #[serde(default = "yes")]
    pub center: bool,
    /// Whether there is a `gamma`.
    #[serde(default = "yes")]
    pub scale: bool,
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

const fn groups() -> i64 {
    32
}

const fn axis() -> i64 {
    -1
}

const fn epsilon() -> Float {
    Float(1e-3)
}

impl LayerConfig for GroupNormalization {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let channels = call.known_dim(self.axis)?;
        let groups = match self.groups {
            -1 => channels,
            n => usize::try_from(n).unwrap_or(0),
        };
        if channels.checked_rem(groups) != Some(0) {
            return Err(call.error(format!("{groups} groups do not divide {channels} channels")));
        }
        call.same()
    }

    /// `gamma [channels]`, `beta [channels]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let channels = call.known_dim(self.axis)?;
        let variable = |name| VariableSpec::new(name, [channels], call.base.dtype.variable);
        let gamma = self.scale.then(|| variable("gamma"));
        let beta = self.center.then(|| variable("beta"));
        Ok(Variables::of(gamma.into_iter().chain(beta).collect()))
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
