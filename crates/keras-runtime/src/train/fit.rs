//! `fit`: training in epochs.
//! Source: `keras/src/trainers/trainer.py`, `keras/src/backend/tensorflow/trainer.py`, Keras 3.15.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Targets;
use super::class_weight::weigh;
use super::compiled::Compiled;
use super::evaluate::{Logs, Report};
use super::optimizer::Optimizer;
use super::step::Batch;
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
    /// Void with [`validation_data`](Self::validation_data).
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
        // Samples for the validation make the split void, as in Keras.
        let split = if how.validation.is_some() { 0.0 } else { how.validation_split };
        let kept = (rows as f64 * (1.0 - split)).floor() as usize;
        if kept == 0 {
            return Err(Error::Value(format!(
                "a validation split of {split} leaves none of {rows} samples to train on"
            )));
        }
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
