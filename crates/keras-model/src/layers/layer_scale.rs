//! `LayerScale` of ConvNeXt. Source: `keras/src/applications/convnext.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// A factor for each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerScale {
    /// What the factors start as.
    pub init_values: Float,
    /// Number of channels.
    pub projection_dim: usize,
}

impl LayerConfig for LayerScale {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    /// `gamma [projection_dim]`; Keras gives it no name of its own.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let gamma = VariableSpec::new("variable", [self.projection_dim], call.base.dtype.variable);
        Ok(Variables::of(vec![gamma]))
    }
}
