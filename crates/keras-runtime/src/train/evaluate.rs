//! `evaluate`: the loss and the compiled metrics of a model.

use std::ops::Index;
use std::sync::PoisonError;

use super::compiled::Compiled;
use super::step::{Batch, Mode, Stepped};
use super::{Metric, Targets};
use crate::states::States;
use crate::{Error, Model, Result, Tensor};

/// How to evaluate: [`Model::evaluate`] with choices.
///
/// ```
/// use keras_runtime::{DType, Evaluate, Tensor};
///
/// let model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
/// let x = Tensor::zeros([3, 6], DType::Float32);
/// let y = Tensor::new([3, 1], vec![0_i32, 2, 1])?;
/// let weight = Tensor::new([3], vec![1.0_f32, 0.5, 2.0])?;
/// let how = Evaluate::new().batch_size(2).sample_weight([weight]);
/// let report = model.evaluate_with(&[x], &[y], &how)?;
/// println!("{}", report["loss"]);
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Evaluate {
    batch_size: usize,
    sample_weight: Vec<Tensor>,
}

impl Default for Evaluate {
    fn default() -> Self {
        Self { batch_size: 32, sample_weight: Vec::new() }
    }
}

impl Evaluate {
    /// What [`Model::evaluate`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// Samples that are evaluated at once; 32 by default, as in Keras. The loss is the mean over all
    /// samples, whatever the batches are; metrics that are no means may depend on them.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = rows;
        self
    }

    /// What each sample counts for: one tensor for all outputs, or one for each. The loss and
    /// `weighted_metrics` use it.
    #[must_use]
    pub fn sample_weight(mut self, weights: impl IntoIterator<Item = Tensor>) -> Self {
        self.sample_weight = weights.into_iter().collect();
        self
    }
}

/// The loss and the metrics of a model: `evaluate(return_dict=True)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Report(Vec<(String, Tensor)>);

impl Report {
    /// Names and values: `loss` first, then the others by their names. A value is a number, or has one
    /// for each threshold or class.
    pub fn values(&self) -> &[(String, Tensor)] {
        &self.0
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Adds the values of another one under names with that in front.
    pub(super) fn add(&mut self, before: &str, other: Self) {
        let others = other.0.into_iter().map(|(name, value)| (format!("{before}{name}"), value));
        self.0.extend(others);
    }

    /// The loss.
    pub fn loss(&self) -> f32 {
        self["loss"]
    }
}

/// The value of that name, which must be one number.
#[allow(clippy::panic, reason = "as the index of any map")]
impl Index<&str> for Report {
    type Output = f32;

    fn index(&self, name: &str) -> &f32 {
        let value = self.get(name).and_then(|value| value.as_slice::<f32>()?.first());
        value.unwrap_or_else(|| panic!("there is no number {name:?}"))
    }
}

impl Model {
    /// The loss and the compiled metrics for these targets: `model.evaluate`.
    ///
    /// ```
    /// use keras_runtime::{DType, Tensor};
    ///
    /// let model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
    /// let x = Tensor::zeros([3, 6], DType::Float32);
    /// let y = Tensor::new([3, 1], vec![0_i32, 2, 1])?;
    /// let report = model.evaluate(&[x], &[y])?;
    /// println!("loss {}, accuracy {}", report.loss(), report["accuracy"]);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`Error::Value`] if targets do not fit the outputs, or the model
    /// was not compiled; [`Error::Training`] if they do not fit a loss or a metric.
    pub fn evaluate<'t>(&self, x: &'t [Tensor], y: impl Into<Targets<'t>>) -> Result<Report> {
        self.evaluated(x, &y.into(), &Evaluate::new())
    }

    /// As [`evaluate`](Self::evaluate), with choices.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_with<'t>(
        &self,
        x: &'t [Tensor],
        y: impl Into<Targets<'t>>,
        how: &Evaluate,
    ) -> Result<Report> {
        self.evaluated(x, &y.into(), how)
    }

    fn evaluated(&self, x: &[Tensor], y: &Targets<'_>, how: &Evaluate) -> Result<Report> {
        let compiled = Compiled::new(&self.file, &self.code)?;
        let batch = self.step_batch(&compiled, x, y, &how.sample_weight)?;
        self.evaluate_batch(&compiled, &batch, how.batch_size)
    }

    /// The same for samples as steps take them.
    pub(super) fn evaluate_batch(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        size: usize,
    ) -> Result<Report> {
        if self.is_stateful {
            let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            return self.evaluate_from(compiled, batch, size, &mut states);
        }
        self.evaluate_from(compiled, batch, size, &mut States::default())
    }

    fn evaluate_from(
        &self,
        compiled: &Compiled,
        all: &Batch<'_>,
        size: usize,
        states: &mut States,
    ) -> Result<Report> {
        let mode = Mode::default();
        let rows = all.rows();
        if rows == 0 || size == 0 {
            return Err(Error::Value(format!("{rows} samples in batches of {size}")));
        }
        let mut logs = Logs::new(compiled);
        for start in (0..rows).step_by(size) {
            let batch = all.part(start, size.min(rows - start))?;
            let step = self.step_plan(compiled, &batch, mode)?;
            let stepped = self.run_step(&step, &batch, None, 0, states)?;
            logs.add(stepped, batch.rows())?;
        }
        logs.report()
    }
}

/// What the batches of an epoch come to.
pub(crate) struct Logs<'c> {
    compiled: &'c Compiled,
    /// Of `loss`, then of the losses of the outputs.
    losses: Vec<Mean>,
    metrics: Vec<Metric>,
}

/// A mean weighted by the size of batches, in `float32` as Keras keeps it.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    total: f32,
    count: f32,
}

impl Mean {
    fn add(&mut self, value: f32, weight: f32) {
        self.total += value * weight;
        self.count += weight;
    }

    fn result(self) -> f32 {
        if self.count == 0.0 { 0.0 } else { self.total / self.count }
    }
}

impl<'c> Logs<'c> {
    pub(crate) fn new(compiled: &'c Compiled) -> Self {
        let metrics = compiled.metrics.iter().map(|m| m.metric.clone()).collect();
        Self { compiled, losses: vec![Mean::default(); compiled.losses.len() + 1], metrics }
    }

    /// Adds what a step on so many samples gave. All losses are means over the samples. Keras's own
    /// `fit` and `evaluate` average those of several outputs over the batches instead, unless they run
    /// eagerly: the size of a batch is not known where they are compiled.
    pub(crate) fn add(&mut self, stepped: Stepped, rows: usize) -> Result<()> {
        let losses = std::iter::once(stepped.loss).chain(stepped.losses);
        self.losses.iter_mut().zip(losses).for_each(|(mean, loss)| mean.add(loss, rows as f32));
        let pairs = self.metrics.iter_mut().zip(stepped.added);
        pairs.into_iter().try_for_each(|(metric, added)| metric.add(added))
    }

    /// Names and values until now.
    pub(crate) fn report(&self) -> Result<Report> {
        let Some((loss, of_outputs)) = self.losses.split_first() else {
            return Ok(Report(Vec::new()));
        };
        let mut values = Vec::new();
        for (metric, compiled) in self.metrics.iter().zip(&self.compiled.metrics) {
            values.push((compiled.name.clone(), metric.result()?));
        }
        if of_outputs.len() > 1 {
            for (mean, compiled) in of_outputs.iter().zip(&self.compiled.losses) {
                let name = format!("{}_loss", self.compiled.name(compiled.output));
                values.push((name, Tensor::scalar(mean.result())));
            }
        }
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values.insert(0, ("loss".to_owned(), Tensor::scalar(loss.result())));
        Ok(Report(values))
    }
}
