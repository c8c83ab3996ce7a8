//! What an optimizer keeps, as files have it.

use keras_model::DType;
use keras_model::compile::{self, OptimizerKind, OptimizerState, Scalar, StateVariable};

use super::{Inner, Optimizer};
use crate::Result;
use crate::weights::{Weights, to_bytes, to_tensor};

impl Optimizer {
    /// What it keeps, for a file.
    ///
    /// # Errors
    /// None: what is kept has the shapes that it says.
    pub(crate) fn state(&self, weights: &Weights) -> Result<OptimizerState> {
        let (mut scalars, mut slots) = (Vec::new(), Vec::new());
        self.keep("", weights, &mut scalars, &mut slots)?;
        Ok(OptimizerState::new(scalars, slots))
    }

    fn keep(
        &self,
        within: &str,
        weights: &Weights,
        scalars: &mut Vec<(String, Scalar)>,
        slots: &mut Vec<StateVariable>,
    ) -> Result<()> {
        let mut scalar = |name: &str, value| scalars.push((format!("{within}{name}"), value));
        scalar("iteration", Scalar::Count(self.iterations));
        scalar("learning_rate", Scalar::Number(self.rate));
        if let OptimizerKind::Nadam { .. } = &self.config.kind {
            scalar("u_product", Scalar::Number(self.product));
        }
        match &self.inner {
            Inner::None => {}
            Inner::Scaled { inner, scale, counter } => {
                scalar("step_counter", Scalar::Count(*counter));
                scalar("dynamic_scale", Scalar::Number(*scale));
                inner.keep(&prefix(&inner.config), weights, scalars, slots)?;
            }
            Inner::Several(all) => {
                for inner in all {
                    inner.keep(&prefix(&inner.config), weights, scalars, slots)?;
                }
            }
        }
        for kept in &self.kept {
            let Some(weight) = weights.weight(kept.place) else { continue };
            let beside = [("average", &kept.average), ("gradient_accumulator", &kept.sum)];
            let beside = beside.into_iter().filter_map(|(name, kept)| Some((name, kept.as_ref()?)));
            let own = kept.slots.iter().map(|(name, tensor)| (*name, tensor));
            for (name, tensor) in beside.chain(own) {
                let tensor = tensor.cast(weight.dtype)?;
                let bytes = to_bytes(&tensor)?;
                slots.push(StateVariable::new(name, weight, tensor.shape().to_vec(), bytes)?);
            }
        }
        Ok(())
    }
}

/// What stands before the names of the scalars of an optimizer within another one.
pub(super) fn prefix(config: &compile::Optimizer) -> String {
    format!("{}/", config.name.as_deref().unwrap_or("inner"))
}

/// A number that belongs to no weight.
pub(super) fn scalar(state: Option<&OptimizerState>, name: &str) -> Result<Option<f64>> {
    let Some(state) = state else { return Ok(None) };
    let Some((_, stored)) = state.scalars.iter().find(|(known, _)| known == name) else {
        return Ok(None);
    };
    Ok(to_tensor(stored)?.cast(DType::Float64)?.as_slice().and_then(|v| v.first().copied()))
}
