//! `Pipeline`. Source: `keras/src/layers/preprocessing/pipeline.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{Layer, LayerConfig};
use crate::model::StoreNames;
use crate::variables::{Sublayer, Variables};
use crate::{Arg, Call, Inputs, KerasTensor, Result};

/// Layers that prepare data, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The layers.
    pub layers: Vec<Layer>,
}

impl Pipeline {
    /// What each layer is called with, and what the last one gives.
    fn run(&self, call: &Call<'_>) -> Result<(Vec<Inputs>, Vec<KerasTensor>)> {
        let mut input = call.inputs.clone();
        let mut all = Vec::with_capacity(self.layers.len());
        let mut output: Vec<_> = call.tensors().iter().map(|t| (*t).clone()).collect();
        for layer in &self.layers {
            output = layer.output(&input)?;
            let next = match output.as_slice() {
                [one] => Inputs::one(one.clone()),
                many => Inputs {
                    args: many.iter().cloned().map(Arg::Tensor).collect(),
                    kwargs: Vec::new(),
                },
            };
            all.push(std::mem::replace(&mut input, next));
        }
        Ok((all, output))
    }
}

impl LayerConfig for Pipeline {
    /// The last layer's output.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(self.run(call)?.1)
    }

    /// Those of each layer.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let (inputs, _) = self.run(call)?;
        let mut names = StoreNames::default();
        let layers = self.layers.iter().zip(&inputs).map(|(layer, inputs)| {
            let path = format!("layers/{}", names.next(&layer.base.class));
            Ok(Sublayer::new(path, layer, layer.variables(inputs)?))
        });
        Ok(Variables { sublayers: layers.collect::<Result<_>>()?, ..Variables::none() })
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        self.layers.iter().map(|layer| ("layers", layer)).collect()
    }
}
