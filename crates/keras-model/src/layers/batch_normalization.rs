//! `BatchNormalization`. Source: `keras/src/layers/normalization/batch_normalization.py`,
//! Keras 3.15.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::axes::{Axes, last};
use super::{LayerConfig, Mask, Today, yes};
use crate::json::Float;
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `gamma · (x - mean) / √(variance + epsilon) + beta`, with the statistics of the batch while
/// training and running averages of them otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNormalization {
    /// The axis that keeps its statistics apart: the channels. Keras 2 allows several.
    #[serde(default = "last")]
    pub axis: Axes,
    /// Share of the old running average that a step keeps.
    #[serde(default = "momentum")]
    pub momentum: Float,
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
    /// How the running mean starts.
    #[serde(default = "Initializer::zeros")]
    pub moving_mean_initializer: Initializer,
    /// How the running variance starts.
    #[serde(default = "Initializer::ones")]
    pub moving_variance_initializer: Initializer,
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
    /// Whether the statistics are those of all replicas.
    #[serde(default)]
    pub synchronized: bool,
    /// Whether training corrects the batch's statistics towards the running ones.
    #[serde(default)]
    pub renorm: bool,
    /// Bounds `rmin`, `rmax`, `dmax` of that correction.
    #[serde(default)]
    pub renorm_clipping: Option<BTreeMap<String, Option<Float>>>,
    /// Momentum of the averages for that correction.
    #[serde(default = "momentum")]
    pub renorm_momentum: Float,
    /// Keras 1: 0 as above; 1 normalises each sample by itself over `axis`; 2 takes the batch's
    /// statistics in prediction too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mode: u8,
}

const fn momentum() -> Float {
    Float(0.99)
}

const fn epsilon() -> Float {
    Float(1e-3)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero(mode: &u8) -> bool {
    *mode == 0
}

impl LayerConfig for BatchNormalization {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.axis.of(call)?;
        call.same()
    }

    /// `gamma`, `beta`, `moving_mean`, `moving_variance`, each `[channels]`; `renorm` adds
    /// `moving_stddev`, `renorm_mean` and `renorm_stddev`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let mut shape = self.axis.lengths(call)?;
        if shape.len() > 1 {
            // Keras 2: all axes, those that are averaged over with length 1.
            let axes = self.axis.of(call)?;
            let dims = call.shape()?.dims().iter().enumerate();
            let lengths = dims.map(|(i, n)| if axes.contains(&i) { n.unwrap_or(1) } else { 1 });
            shape = lengths.collect();
        }
        let dtype = call.base.dtype.variable;
        let trainable = |name| VariableSpec::new(name, shape.clone(), dtype);
        let fixed = |name| VariableSpec::non_trainable(name, shape.clone(), dtype);
        let mut own = Vec::new();
        own.extend(self.scale.then(|| trainable("gamma")));
        own.extend(self.center.then(|| trainable("beta")));
        own.extend([fixed("moving_mean"), fixed("moving_variance")]);
        if self.renorm {
            own.extend(["moving_stddev", "renorm_mean", "renorm_stddev"].map(fixed));
        }
        Ok(Variables::of(own))
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }

    fn today(&self) -> Today {
        match (&self.axis, self.mode) {
            (Axes::One(_), 0) => Today::Same,
            (Axes::Many(_), 0) => Today::Gone("several axes"),
            _ => Today::Gone("mode 1 or 2"),
        }
    }
}
