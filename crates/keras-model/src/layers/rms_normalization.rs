//! `RMSNormalization`. Source: `keras/src/layers/normalization/rms_normalization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::axes::{Axes, last};
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// `scale · x / √(mean x² + epsilon)`, over `axis`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RMSNormalization {
    /// The axes of the mean, and of `scale`.
    #[serde(default = "last")]
    pub axis: Axes,
    /// Added to the mean square.
    #[serde(default = "epsilon")]
    pub epsilon: Float,
}

const fn epsilon() -> Float {
    Float(1e-6)
}

impl LayerConfig for RMSNormalization {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.axis.of(call)?;
        call.same()
    }

    /// `scale` with the lengths of `axis`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let shape = self.axis.lengths(call)?;
        Ok(Variables::of(vec![VariableSpec::new("scale", shape, call.base.dtype.variable)]))
    }
}
