//! `SReLU`. Source: `keras/layers/advanced_activations.py`, Keras 1.2.2; gone in Keras 2.

use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::prelu::parameter_shape;
use super::{LayerConfig, Mask, Today};
use crate::objects::Initializer;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// Three straight pieces with learned corners and slopes: `x` between `t_left` and
/// `t_left + |t_right|`, slopes `a_left` and `a_right` outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SReLU {
    /// How the left corner starts.
    #[serde(default = "Initializer::zeros")]
    pub t_left_initializer: Initializer,
    /// How the left slope starts.
    #[serde(default)]
    pub a_left_initializer: Initializer,
    /// How the distance to the right corner starts.
    #[serde(default)]
    pub t_right_initializer: Initializer,
    /// How the right slope starts.
    #[serde(default = "Initializer::ones")]
    pub a_right_initializer: Initializer,
    /// Axes along which all is the same. Keras 1 forgets to write them.
    #[serde(default)]
    pub shared_axes: Option<Axes>,
}

impl LayerConfig for SReLU {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    /// `t_left`, `a_left`, `t_right`, `a_right`: the input's shape without the batch, 1 on shared
    /// axes.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let shape = parameter_shape(call, self.shared_axes.as_ref())?;
        let variable = |name| VariableSpec::new(name, shape.clone(), call.base.dtype.variable);
        Ok(Variables::of(["t_left", "a_left", "t_right", "a_right"].map(variable).into()))
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
