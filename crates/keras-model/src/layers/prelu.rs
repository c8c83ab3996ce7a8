//! `PReLU`. Source: `keras/src/layers/activations/prelu.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::{LayerConfig, Mask};
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `x` where it is positive, else `alpha · x` with learned slopes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PReLU {
    /// How the slopes start.
    #[serde(default = "Initializer::zeros")]
    pub alpha_initializer: Initializer,
    /// Penalty on the slopes.
    #[serde(default)]
    pub alpha_regularizer: Option<Regularizer>,
    /// What the slopes are forced to after each update.
    #[serde(default)]
    pub alpha_constraint: Option<Constraint>,
    /// Axes along which the slope is the same; the batch is axis 0.
    #[serde(default)]
    pub shared_axes: Option<Axes>,
}

impl LayerConfig for PReLU {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    /// `alpha`: the input's shape without the batch, 1 on shared axes.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let shape = parameter_shape(call, self.shared_axes.as_ref())?;
        Ok(Variables::of(vec![VariableSpec::new("alpha", shape, call.base.dtype.variable)]))
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}

/// The input's shape without the batch, with length 1 on shared axes.
pub(super) fn parameter_shape(call: &Call<'_>, shared: Option<&Axes>) -> Result<Vec<usize>> {
    let shared = shared.map_or(Ok(Vec::new()), |axes| axes.of(call))?;
    (1..call.shape()?.rank())
        .map(|axis| match i64::try_from(axis) {
            Ok(at) if !shared.contains(&axis) => call.known_dim(at),
            _ => Ok(1),
        })
        .collect()
}
