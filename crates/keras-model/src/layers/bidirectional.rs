//! `Bidirectional`. Source: `keras/src/layers/rnn/bidirectional.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{Layer, LayerConfig, Mask};
use crate::variables::{Sublayer, Variables};
use crate::{Call, KerasTensor, Kind, Result};

/// Runs a recurrent layer over the sequence in both directions and merges the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bidirectional {
    /// The layer that reads forward.
    pub layer: Layer,
    /// The layer that reads backward; a copy of `layer` by default.
    #[serde(default)]
    pub backward_layer: Option<Layer>,
    /// How the two results are joined; `null` gives both.
    #[serde(default = "concat")]
    pub merge_mode: Option<MergeMode>,
}

/// How two results become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are Keras's")]
pub enum MergeMode {
    Concat,
    Sum,
    Mul,
    Ave,
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
const fn concat() -> Option<MergeMode> {
    Some(MergeMode::Concat)
}

impl Bidirectional {
    /// The backward layer as Keras makes it from the forward one when none is given: it reads
    /// against the forward one's direction.
    pub fn backward(&self) -> Layer {
        self.backward_layer.clone().unwrap_or_else(|| {
            let mut layer = self.layer.clone();
            let name = &self.layer.base.name;
            layer.base.name = format!("backward_{}", name.strip_prefix("forward_").unwrap_or(name));
            layer
        })
    }
}

impl LayerConfig for Bidirectional {
    /// The forward layer's output, twice as wide on the last axis for `concat`, twice without a mode;
    /// then the states of both.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let forward = self.layer.output(call.inputs)?;
        let Some((y, states)) = forward.split_first() else {
            return Err(call.error("the wrapped layer has no output"));
        };
        let mut out = match self.merge_mode {
            None => vec![y.clone(), y.clone()],
            Some(MergeMode::Concat) => {
                let width = y.shape.dim(-1).flatten();
                let width = width.map(|n| call.product([n, 2])).transpose()?;
                vec![KerasTensor::new(y.shape.with_last(width), y.dtype)]
            }
            Some(MergeMode::Sum | MergeMode::Ave | MergeMode::Mul) => vec![y.clone()],
        };
        out.extend(states.iter().chain(states).cloned());
        Ok(out)
    }

    /// The forward layer's, then the backward layer's.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        // Anything else would double at each level of nesting.
        if !is_recurrent(&self.layer.kind) {
            return Err(call.error("the wrapped layer is not recurrent"));
        }
        let backward = self.backward();
        let sublayers = vec![
            Sublayer::new("forward_layer", &self.layer, self.layer.variables(call.inputs)?),
            Sublayer::new("backward_layer", &backward, backward.variables(call.inputs)?),
        ];
        Ok(Variables { sublayers, ..Variables::none() })
    }

    /// The forward layer's: the mask of the sequence if the sequence is given back.
    fn mask(&self) -> Mask {
        self.layer.kind.config().mask()
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        let backward = self.backward_layer.as_ref().map(|l| ("backward_layer", l));
        std::iter::once(("layer", &self.layer)).chain(backward).collect()
    }
}

const fn is_recurrent(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::RNN(_)
            | Kind::LSTM(_)
            | Kind::GRU(_)
            | Kind::SimpleRNN(_)
            | Kind::ConvLSTM1D(_)
            | Kind::ConvLSTM2D(_)
            | Kind::ConvLSTM3D(_)
            | Kind::ConvRNN2D(_)
            | Kind::CuDNNLSTM(_)
            | Kind::CuDNNGRU(_)
            | Kind::Custom(_)
    )
}
