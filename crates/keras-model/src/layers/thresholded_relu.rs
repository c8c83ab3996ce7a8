//! `ThresholdedReLU`. Source:
//! `tf_keras/src/layers/activation/thresholded_relu.py`, 2.21; gone in Keras 3.

use serde::{Deserialize, Serialize};

use super::re_lu::ReLU;
use super::{Kind, LayerConfig, Mask, Today};
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// `x` where it is over `theta`, else 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdedReLU {
    /// The threshold.
    #[serde(default = "theta")]
    pub theta: Float,
}

const fn theta() -> Float {
    Float(1.0)
}

impl LayerConfig for ThresholdedReLU {
    /// The input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        call.same()
    }

    fn mask(&self) -> Mask {
        Mask::Passes
    }

    /// `ReLU` takes what is over its threshold, too.
    fn today(&self) -> Today {
        let (max_value, negative_slope) = (None, Float(0.0));
        let relu = ReLU { max_value, negative_slope, threshold: self.theta };
        Today::As(Kind::ReLU(Box::new(relu)))
    }
}
