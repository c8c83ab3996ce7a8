//! `loss_gradients`: how the loss changes with the weights.

use std::sync::PoisonError;

use super::Targets;
use super::compiled::Compiled;
use super::step::Mode;
use crate::states::States;
use crate::{Model, Result, Tensor, WeightGradient};

/// The loss of a batch, and how it changes with the trainable weights.
#[derive(Clone, Debug, PartialEq)]
pub struct LossGradients {
    /// The sum of all losses, weighted, and of the penalties of weights and outputs.
    pub loss: f32,
    /// For each output that has a loss its name and its loss, not weighted.
    pub losses: Vec<(String, f32)>,
    /// For each trainable weight, in the order of Keras's `model.trainable_weights`.
    pub weights: Vec<WeightGradient>,
}

impl Model {
    /// The loss of a batch as `train_on_batch` computes it, with `training=True`, and its gradients
    /// before any clipping. The weights stay as they are. `sample_weight` says what samples count for:
    /// nothing if all count the same, one tensor, or one for each output. What is random starts at seed 0.
    ///
    /// ```
    /// use keras_runtime::{DType, Tensor};
    ///
    /// let model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
    /// let x = Tensor::zeros([2, 6], DType::Float32);
    /// let y = Tensor::new([2, 1], vec![0_i32, 2])?;
    /// let found = model.loss_gradients(&[x], &[y], &[])?;
    /// println!("{}, {:?}", found.loss, found.weights[0].gradient);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`Error::Value`](crate::Error::Value) if targets do not fit
    /// the outputs or the model was not compiled, [`Error::Training`](crate::Error::Training) if
    /// they do not fit a loss.
    pub fn loss_gradients<'t>(
        &self,
        x: &'t [Tensor],
        y: impl Into<Targets<'t>>,
        sample_weight: &'t [Tensor],
    ) -> Result<LossGradients> {
        let compiled = Compiled::new(&self.file, &self.code)?;
        let batch = self.step_batch(&compiled, x, &y.into(), sample_weight)?;
        let mode = Mode { training: true, gradients: true, ..Mode::default() };
        let step = self.step_plan(&compiled, &batch, mode)?;
        let stepped = if self.is_stateful {
            let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            self.run_step(&step, &batch, None, 0, &mut states)?
        } else {
            self.run_step(&step, &batch, None, 0, &mut States::default())?
        };
        let names = compiled.losses.iter().map(|l| compiled.name(l.output).to_owned());
        let weights = self.weights.all_trainable().zip(stepped.gradients);
        let weights = weights.map(|((_, weight), gradient)| WeightGradient {
            path: weight.path.clone(),
            shape: weight.shape.clone(),
            gradient: gradient.map(|g| g.sum),
        });
        Ok(LossGradients {
            loss: stepped.loss,
            losses: names.zip(stepped.losses).collect(),
            weights: weights.collect(),
        })
    }
}
