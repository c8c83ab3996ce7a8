//! `Normalization`. Source: `keras/src/layers/preprocessing/normalization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::axes::{Axes, last};
use super::rescaling::Numbers;
use super::{LayerConfig, Mask};
use crate::variables::{VariableSpec, Variables};
use crate::{Call, DType, KerasTensor, Result};

/// `(x - mean) / √variance` with statistics that `adapt` collected or that the config gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// The axes that keep their statistics apart; `null` for none.
    #[serde(default = "some_last")]
    pub axis: Option<Axes>,
    /// The mean, if the config gives it.
    #[serde(default)]
    pub mean: Option<Numbers>,
    /// The variance, if the config gives it.
    #[serde(default)]
    pub variance: Option<Numbers>,
    /// Whether it goes the other way: `x · √variance + mean`.
    #[serde(default)]
    pub invert: bool,
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
const fn some_last() -> Option<Axes> {
    Some(last())
}

impl LayerConfig for Normalization {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    /// `mean`, `variance` with the lengths of `axis`, and `count []`, unless the config gives them.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        if self.mean.is_some() {
            return Ok(Variables::none());
        }
        let mut shape = Vec::new();
        if let Some(axes) = &self.axis {
            let mut axes = axes.of(call)?;
            axes.sort_unstable();
            for axis in axes {
                shape.push(call.known_dim(i64::try_from(axis).unwrap_or(i64::MAX))?);
            }
        }
        let dtype = call.base.dtype.variable;
        Ok(Variables::of(vec![
            VariableSpec::non_trainable("mean", shape.clone(), dtype),
            VariableSpec::non_trainable("variance", shape, dtype),
            VariableSpec::non_trainable("count", [], DType::Int64),
        ]))
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }
}
