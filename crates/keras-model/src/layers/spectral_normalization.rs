//! `SpectralNormalization`. Source: `keras/src/layers/normalization/spectral_normalization.py`,
//! Keras 3.15.

use serde::{Deserialize, Serialize};

use super::conv::one;
use super::{Layer, LayerConfig};
use crate::variables::{Sublayer, VariableSpec, Variables};
use crate::{Call, KerasTensor, Result};

/// Divides the kernel of a layer by its largest singular value, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpectralNormalization {
    /// The layer with a `kernel` or `embeddings`.
    pub layer: Layer,
    /// Steps of the power iteration for each call.
    #[serde(default = "one")]
    pub power_iterations: usize,
}

impl LayerConfig for SpectralNormalization {
    /// The layer's output.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.layer.output(call.inputs)
    }

    /// The layer's, and `vector_u [1, n]` for the kernel `[.., n]`. Files hold the kernel twice.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let inner = self.layer.variables(call.inputs)?;
        let kernel = inner.own.iter().find(|v| matches!(&*v.name, "kernel" | "embeddings"));
        let kernel = kernel.ok_or_else(|| call.error("the wrapped layer has no kernel"))?;
        let Some(last) = kernel.shape.last() else {
            return Err(call.error("the kernel of the wrapped layer has no axis"));
        };
        let own = vec![VariableSpec::non_trainable("vector_u", [1, *last], kernel.dtype)];
        let saved = vec![format!("layer/{}", kernel.name), "vector_u".to_owned()];
        let sublayers = vec![Sublayer::new("layer", &self.layer, inner)];
        Ok(Variables { own, sublayers, saved: Some(saved), ..Variables::none() })
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        vec![("layer", &self.layer)]
    }
}
