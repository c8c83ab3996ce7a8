//! `Discretization`. Source: `keras/src/layers/preprocessing/discretization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::encoding::{OutputMode, encoded, typed};
use crate::json::Float;
use crate::{Call, DType, KerasTensor, Result, Shape};

/// The number of the bin that a value falls into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discretization {
    /// Where one bin ends and the next begins; `None` until `adapt` found them.
    #[serde(default)]
    pub bin_boundaries: Option<Vec<Float>>,
    /// How many bins `adapt` makes.
    #[serde(default)]
    pub num_bins: Option<usize>,
    /// Error that `adapt` may make.
    #[serde(default = "epsilon")]
    pub epsilon: Float,
    /// Numbers or vectors.
    #[serde(default)]
    pub output_mode: OutputMode,
    /// Whether vectors are sparse.
    #[serde(default)]
    pub sparse: bool,
}

const fn epsilon() -> Float {
    Float(0.01)
}

impl LayerConfig for Discretization {
    /// The input's shape for `int`; else `[.., bins]` as the mode says, where `multi_hot` and
    /// `count` put all places after the batch but the first together.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape()?;
        let boundaries =
            self.bin_boundaries.as_ref().map(|b| call.sum([b.len(), 1])).transpose()?;
        let depth = boundaries.or(self.num_bins);
        let shape = match self.output_mode {
            OutputMode::Int => return Ok(typed(shape.clone(), DType::Int32)),
            OutputMode::OneHot => encoded(shape, self.output_mode, depth),
            _ => {
                let mut dims = if shape.rank() < 2 { Vec::new() } else { shape.without(1).0 };
                dims.push(depth);
                Shape(dims)
            }
        };
        Ok(call.output(shape))
    }
}
