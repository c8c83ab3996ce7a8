//! `train_on_batch`: one step of training.
//! Source: `keras/src/backend/tensorflow/trainer.py`, Keras 3.15.

use std::sync::PoisonError;

use super::class_weight::weigh;
use super::compiled::Compiled;
use super::evaluate::Logs;
use super::optimizer::Optimizer;
use super::step::{Batch, Mode, StepKey, Stepped};
use super::{Report, Targets};
use crate::{Model, Result, Tensor};

impl Model {
    /// One step on one batch: the loss before it, and the metrics of the batch.
    ///
    /// ```
    /// use keras_runtime::{DType, Tensor};
    ///
    /// let mut model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
    /// let x = Tensor::new([2, 6], vec![0.5_f32; 12])?;
    /// let y = Tensor::new([2, 1], vec![0_i32, 2])?;
    /// let first = model.train_on_batch(&[x.clone()], &[y.clone()], &[])?;
    /// let second = model.train_on_batch(&[x], &[y], &[])?;
    /// assert_ne!(first.loss(), second.loss());
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn train_on_batch<'t>(
        &mut self,
        x: &'t [Tensor],
        y: impl Into<Targets<'t>>,
        sample_weight: &'t [Tensor],
    ) -> Result<Report> {
        self.train_on_weighted_batch(x, y, sample_weight, [])
    }

    /// The same with what the samples of a class count for: [`Fit::class_weight`](crate::Fit::class_weight).
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn train_on_weighted_batch<'t>(
        &mut self,
        x: &'t [Tensor],
        y: impl Into<Targets<'t>>,
        sample_weight: &'t [Tensor],
        class_weight: impl IntoIterator<Item = (i64, f64)>,
    ) -> Result<Report> {
        let compiled = Compiled::new(&self.file, &self.code)?;
        let mut batch = self.step_batch(&compiled, x, &y.into(), sample_weight)?;
        let class_weight = class_weight.into_iter().collect();
        weigh(&mut batch, &class_weight, !sample_weight.is_empty())?;
        let mut optimizer = self.take_optimizer()?;
        let seed = optimizer.iterations() as u64;
        let stepped = self.train_step(&compiled, &mut optimizer, &batch, seed);
        self.optimizer = Some(optimizer);
        self.forget_constants();
        let mut logs = Logs::new(&compiled);
        logs.add(stepped?, batch.rows())?;
        logs.report()
    }

    pub(super) fn train_step(
        &mut self,
        compiled: &Compiled,
        optimizer: &mut Optimizer,
        batch: &Batch<'_>,
        seed: u64,
    ) -> Result<Stepped> {
        let scale = optimizer.loss_scale();
        let mode = Mode {
            training: true,
            gradients: true,
            scaled: scale.is_some(),
            rows: optimizer.by_rows(),
        };
        let step = self.step_plan(compiled, batch, mode)?;
        let mut states =
            std::mem::take(self.states.get_mut().unwrap_or_else(PoisonError::into_inner));
        let stepped = self.run_step(&step, batch, scale, seed, &mut states);
        *self.states.get_mut().unwrap_or_else(PoisonError::into_inner) = states;
        let mut stepped = stepped?;
        for (place, tensor) in stepped.assigned.drain(..) {
            self.weights.change(place, &self.limits, |weight| {
                *weight = tensor;
                Ok(())
            })?;
        }
        let gradients = std::mem::take(&mut stepped.gradients);
        // A model without trainable weights still moves its statistics, as in Keras.
        if !gradients.is_empty() {
            optimizer.apply(&mut self.weights, &self.limits, gradients)?;
        }
        Ok(stepped)
    }

    /// Drops plans that took the weights for constants.
    pub(super) fn forget_constants(&mut self) {
        self.plans.clear();
        self.steps.retain(StepKey::reads_weights);
    }
}
