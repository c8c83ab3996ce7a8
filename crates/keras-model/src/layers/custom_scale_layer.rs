//! `CustomScaleLayer` of InceptionResNetV2. Source: `keras/src/applications/inception_resnet_v2.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::merging::broadcast;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// `x + residual * scale` of a list of two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomScaleLayer {
    /// What the second input is multiplied by.
    pub scale: Float,
}

impl LayerConfig for CustomScaleLayer {
    /// The shape that both inputs broadcast to.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        if call.tensors().len() != 2 {
            return Err(call.error("takes a list of two tensors"));
        }
        Ok(call.output(broadcast(call)?))
    }
}
