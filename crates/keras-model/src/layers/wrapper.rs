//! `Wrapper`. Source: `keras/src/layers/core/wrapper.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{Layer, LayerConfig};
use crate::variables::{Sublayer, Variables};
use crate::{Call, KerasTensor, Result};

/// A layer around another one: the base of `TimeDistributed` and the like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wrapper {
    /// The wrapped layer.
    pub layer: Layer,
}

impl LayerConfig for Wrapper {
    /// The layer's output.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.layer.output(call.inputs)
    }

    /// The layer's.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let layer = Sublayer::new("layer", &self.layer, self.layer.variables(call.inputs)?);
        Ok(Variables { sublayers: vec![layer], ..Variables::none() })
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        vec![("layer", &self.layer)]
    }
}
