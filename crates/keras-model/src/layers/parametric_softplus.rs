//! `ParametricSoftplus`. Source: `keras/layers/advanced_activations.py`, Keras 1.2.2; gone in
//! Keras 2.

use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::prelu::parameter_shape;
use super::{LayerConfig, Mask, Today};
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `alpha · log(1 + exp(beta · x))` with learned numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParametricSoftplus {
    /// Where `alpha` starts.
    #[serde(default = "alpha")]
    pub alpha_init: Float,
    /// Where `beta` starts.
    #[serde(default = "beta")]
    pub beta_init: Float,
    /// Axes along which all is the same. Keras 1 forgets to write them.
    #[serde(default)]
    pub shared_axes: Option<Axes>,
}

const fn alpha() -> Float {
    Float(0.2)
}

const fn beta() -> Float {
    Float(5.0)
}

impl LayerConfig for ParametricSoftplus {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    /// `alpha`, `beta`: the input's shape without the batch, 1 on shared axes.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let shape = parameter_shape(call, self.shared_axes.as_ref())?;
        let variable = |name| VariableSpec::new(name, shape.clone(), call.base.dtype.variable);
        Ok(Variables::of(["alpha", "beta"].map(variable).into()))
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
