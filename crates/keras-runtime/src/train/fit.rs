//! `fit` and `train_on_batch`: steps of training.
//! Source: `keras/src/trainers/trainer.py`, `keras/src/backend/tensorflow/trainer.py`, Keras 3.15.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use keras_model::DType;
use keras_model::compile::CompileConfig;

use super::compiled::Compiled;
use super::evaluate::Logs;
use super::optimizer::Optimizer;
use super::step::{Batch, Mode, StepKey, Stepped};
use super::{Report, Targets};
use crate::random::Stream;
use crate::{Error, Evaluate, Model, Result, Tensor};

/// How to train: what [`Model::fit`] takes beside inputs and targets.
///
/// ```
/// use keras_runtime::{DType, Fit, Tensor};
///
/// let mut model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
/// let x = Tensor::new([4, 6], (0..24).map(|i| i as f32 / 24.0).collect())?;
/// let y = Tensor::new([4, 1], vec![0_i32, 2, 1, 1])?;
/// let history = model.fit(&[x], &[y], &Fit::epochs(3).batch_size(2).seed(7))?;
/// println!("{} after {} steps", history.epochs[2].loss(), history.batch_loss.len());
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct Fit<'t> {
    epochs: usize,
    batch_size: usize,
    shuffle: bool,
    seed: u64,
    validation_split: f64,
    validation: Option<(&'t [Tensor], Targets<'t>)>,
    validation_weight: Vec<Tensor>,
    sample_weight: Vec<Tensor>,
    class_weight: BTreeMap<i64, f64>,
    on_batch: Option<Callback<'t>>,
    on_epoch: Option<Callback<'t>>,
}

/// Where training is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'r> {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Steps of this epoch that were made.
    pub step: usize,
    /// Steps that an epoch has.
    pub steps: usize,
    /// The means over the epoch until now; at its end with those of the validation.
    pub logs: &'r Report,
}

type Callback<'t> = Arc<dyn Fn(&Progress<'_>) -> ControlFlow<()> + 't>;

/// What came of training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The logs of each epoch: `loss`, the metrics, and these again as `val_loss`... of the
    /// validation.
    pub epochs: Vec<Report>,
    /// The loss of each step, in order: that of its batch before the step.
    pub batch_loss: Vec<f32>,
}

impl fmt::Debug for Fit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fit")
            .field("epochs", &self.epochs)
            .field("batch_size", &self.batch_size)
            .finish_non_exhaustive()
    }
}

impl<'t> Fit<'t> {
    /// Goes so many times over all samples, in batches of 32, shuffled.
    pub fn epochs(epochs: usize) -> Self {
        Self {
            epochs,
            batch_size: 32,
            shuffle: true,
            seed: 0,
            validation_split: 0.0,
            validation: None,
            validation_weight: Vec::new(),
            sample_weight: Vec::new(),
            class_weight: BTreeMap::new(),
            on_batch: None,
            on_epoch: None,
        }
    }

    /// Samples of one step; 32 by default, as in Keras. The last batch of an epoch may be smaller.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = rows;
        self
    }

    /// Whether each epoch has another order of the samples. On by default.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Where the random numbers of shuffling and dropout start; 0 by default. They are not those of
    /// Keras.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The part of the samples, from the end, that is not trained on but evaluated after each epoch.
    #[must_use]
    pub fn validation_split(mut self, part: f64) -> Self {
        self.validation_split = part;
        self
    }

    /// Samples that are evaluated after each epoch.
    #[must_use]
    pub fn validation_data(
        mut self,
        x: &'t [Tensor],
        y: impl Into<Targets<'t>>,
        sample_weight: impl IntoIterator<Item = Tensor>,
    ) -> Self {
        self.validation = Some((x, y.into()));
        self.validation_weight = sample_weight.into_iter().collect();
        self
    }

    /// What each sample counts for: one tensor for all outputs, or one for each.
    #[must_use]
    pub fn sample_weight(mut self, weights: impl IntoIterator<Item = Tensor>) -> Self {
        self.sample_weight = weights.into_iter().collect();
        self
    }

    /// What the samples of a class count for; 1 for classes that are not named. For models of one
    /// output, whose targets are classes or one-hot rows.
    #[must_use]
    pub fn class_weight(mut self, weights: impl IntoIterator<Item = (i64, f64)>) -> Self {
        self.class_weight = weights.into_iter().collect();
        self
    }

    /// Is called after each step; [`ControlFlow::Break`] ends the training there.
    #[must_use]
    pub fn on_batch(mut self, callback: impl Fn(&Progress<'_>) -> ControlFlow<()> + 't) -> Self {
        self.on_batch = Some(Arc::new(callback));
        self
    }

    /// Is called after each epoch; [`ControlFlow::Break`] ends the training there.
    #[must_use]
    pub fn on_epoch(mut self, callback: impl Fn(&Progress<'_>) -> ControlFlow<()> + 't) -> Self {
        self.on_epoch = Some(Arc::new(callback));
        self
    }
}

impl Model {
    /// Trains the model: `model.fit`. A file that was trained before goes on where it stopped, with
    /// its optimizer's state.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), and if no weight has a gradient of the loss. Steps that were
    /// made until then stay.
    pub fn fit<'t>(
        &mut self,
        x: &'t [Tensor],
        y: impl Into<Targets<'t>>,
        how: &Fit<'t>,
    ) -> Result<History> {
        let compiled = Compiled::new(&self.file, &self.code)?;
        let mut all = self.step_batch(&compiled, x, &y.into(), &how.sample_weight)?;
        weigh(&mut all, &how.class_weight, !how.sample_weight.is_empty())?;
        let rows = all.rows();
        if rows == 0 || how.batch_size == 0 {
            let size = how.batch_size;
            return Err(Error::Value(format!("{rows} samples in batches of {size}")));
        }
        if !(0.0..1.0).contains(&how.validation_split) {
            let part = how.validation_split;
            return Err(Error::Value(format!("a validation split of {part} is no part below 1")));
        }
        let kept = (rows as f64 * (1.0 - how.validation_split)).floor() as usize;
        let held_back = if kept < rows { Some(all.part(kept, rows - kept)?) } else { None };
        let mut optimizer = self.take_optimizer()?;
        let trained = self.epochs(&compiled, &mut optimizer, &all, kept, held_back.as_ref(), how);
        let finished = trained.and_then(|history| {
            optimizer.finish(&mut self.weights, &self.limits)?;
            Ok(history)
        });
        self.optimizer = Some(optimizer);
        self.forget_constants();
        finished
    }

    fn epochs(
        &mut self,
        compiled: &Compiled,
        optimizer: &mut Optimizer,
        all: &Batch<'_>,
        rows: usize,
        held_back: Option<&Batch<'_>>,
        how: &Fit<'_>,
    ) -> Result<History> {
        let mut history = History::default();
        let steps = rows.div_ceil(how.batch_size);
        let call = |callback: &Option<Callback<'_>>, progress: &Progress<'_>| {
            callback.as_ref().is_some_and(|callback| callback(progress).is_break())
        };
        let mut seed = how.seed;
        for epoch in 0..how.epochs {
            let mut order: Vec<usize> = (0..rows).collect();
            if how.shuffle {
                shuffle(&mut order, Stream { seed: how.seed, number: epoch as u64 });
            }
            let mut logs = Logs::new(compiled);
            let mut is_over = false;
            for (step, rows) in order.chunks(how.batch_size).enumerate() {
                let batch = all.rows_at(rows)?;
                let stepped = self.train_step(compiled, optimizer, &batch, seed)?;
                seed = seed.wrapping_add(1);
                history.batch_loss.push(stepped.loss);
                logs.add(stepped, rows.len())?;
                if how.on_batch.is_some() {
                    let logs = &logs.report()?;
                    let progress = Progress { epoch, step: step + 1, steps, logs };
                    if call(&how.on_batch, &progress) {
                        is_over = true;
                        break;
                    }
                }
            }
            let mut report = logs.report()?;
            if held_back.is_some() || how.validation.is_some() {
                self.forget_constants();
            }
            if let Some((x, y)) = &how.validation {
                let evaluate = Evaluate::new().batch_size(how.batch_size);
                let evaluate = evaluate.sample_weight(how.validation_weight.clone());
                report.add("val_", self.evaluate_with(x, y.clone(), &evaluate)?);
            } else if let Some(held_back) = held_back {
                report.add("val_", self.evaluate_batch(compiled, held_back, how.batch_size)?);
            }
            let progress = Progress { epoch, step: steps, steps, logs: &report };
            is_over |= call(&how.on_epoch, &progress);
            history.epochs.push(report);
            if is_over {
                break;
            }
        }
        Ok(history)
    }

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

    /// The same with what the samples of a class count for: [`Fit::class_weight`].
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

    /// Says how the model is trained from now on: `model.compile`. The optimizer starts anew.
    ///
    /// ```
    /// use keras_runtime::keras_model::compile::CompileConfig;
    ///
    /// let mut model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
    /// model.compile(CompileConfig::parse(&serde_json::json!({
    ///     "optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.05, "momentum": 0.9}},
    ///     "loss": "sparse_categorical_crossentropy",
    ///     "metrics": ["accuracy"],
    /// }))?);
    /// assert_eq!(model.learning_rate()?, 0.05);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    pub fn compile(&mut self, config: CompileConfig) {
        self.file.compile = Some(config);
        self.file.optimizer_state = None;
        self.optimizer = None;
        self.steps.clear();
    }

    /// The learning rate of the next step.
    ///
    /// # Errors
    /// [`Error::Value`] if the model was not compiled.
    pub fn learning_rate(&mut self) -> Result<f32> {
        let optimizer = self.take_optimizer()?;
        let rate = optimizer.learning_rate();
        self.optimizer = Some(optimizer);
        rate
    }

    /// Sets the learning rate: `optimizer.learning_rate = rate`.
    ///
    /// # Errors
    /// [`Error::Value`] if a schedule says it, or the model was not compiled.
    pub fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        let mut optimizer = self.take_optimizer()?;
        let set = optimizer.set_learning_rate(rate);
        self.optimizer = Some(optimizer);
        set
    }

    /// The optimizer: that of the steps before, or as the file has it.
    fn take_optimizer(&mut self) -> Result<Optimizer> {
        match self.optimizer.take() {
            Some(optimizer) => Ok(optimizer),
            None => Optimizer::new(&self.file, &self.weights, &self.limits),
        }
    }

    fn train_step(
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
    fn forget_constants(&mut self) {
        self.plans.clear();
        self.steps.retain(StepKey::reads_weights);
    }
}

/// Weights of classes as weights of samples.
fn weigh(
    batch: &mut Batch<'_>,
    class_weight: &BTreeMap<i64, f64>,
    has_sample_weight: bool,
) -> Result<()> {
    if class_weight.is_empty() {
        return Ok(());
    }
    if has_sample_weight {
        return Err(Error::Value("weights of classes and of samples at once".to_owned()));
    }
    let ([Some(y)], [weight]) = (batch.y.as_slice(), batch.sample_weight.as_mut_slice()) else {
        return Err(Error::Value("weights of classes are for models of one output".to_owned()));
    };
    let y64 = y.cast(DType::Float64)?;
    let values = y64.as_slice::<f64>().unwrap_or_default();
    let rows = y.shape().first().copied().unwrap_or(0);
    let width = values.len().checked_div(rows).unwrap_or(0);
    let class = |row: &[f64]| match row {
        [class] => class.round() as i64,
        row => {
            let largest = row.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
            largest.map_or(0, |(at, _)| at as i64)
        }
    };
    if width == 0 || y.shape().len() > 2 {
        let shape = y.shape();
        return Err(Error::Value(format!("weights of classes for targets of shape {shape:?}")));
    }
    let of_row = |row| class_weight.get(&class(row)).copied().unwrap_or(1.0) as f32;
    let weights: Vec<f32> = values.chunks_exact(width).map(of_row).collect();
    *weight = Some(Cow::Owned(Tensor::new([rows], weights)?));
    Ok(())
}

/// Another order, each as likely (R. Fisher, F. Yates).
fn shuffle(order: &mut [usize], stream: Stream) {
    let mut random = vec![0.0; order.len()];
    stream.uniform(&mut random);
    for (i, random) in (0..order.len()).zip(random).rev() {
        let other = (f64::from(random) * (i + 1) as f64) as usize;
        order.swap(i, other.min(i));
    }
}

#[test]
fn an_order_has_everything_once() {
    let mut order: Vec<usize> = (0..100).collect();
    shuffle(&mut order, Stream { seed: 3, number: 1 });
    assert!(!order.is_sorted());
    order.sort_unstable();
    assert!(order.into_iter().eq(0..100));
}
