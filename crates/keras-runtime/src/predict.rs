//! `predict`: batches through plans.

use std::borrow::Cow;
use std::sync::PoisonError;

use crate::model::{Inputs, Planned};
use crate::states::States;
use crate::{Error, Model, Result, Tensor};

/// How to predict: [`Model::predict`] with choices.
///
/// Ten predictions of one input with dropout at work, for Monte-Carlo estimates:
///
/// ```
/// use keras_runtime::{Predict, Tensor};
///
/// let model = keras_runtime::load_model("../../fixtures/models/k3_noise.keras")?;
/// let x = Tensor::new([1, 6], vec![0.5_f32; 6])?;
/// let sample = |seed| model.predict_with(&[x.clone()], &Predict::new().training(true).seed(seed));
/// let samples = (0..10).map(sample).collect::<Result<Vec<_>, _>>()?;
/// assert_ne!(samples[0], samples[1]);
/// assert_eq!(samples[0], sample(0)?);
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Predict {
    training: bool,
    seed: u64,
    batch_size: Option<usize>,
    memory: u64,
}

impl Default for Predict {
    fn default() -> Self {
        Self { training: false, seed: 0, batch_size: None, memory: 512 << 20 }
    }
}

impl Predict {
    /// What [`Model::predict`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether layers do what they do in training: `model(x, training=True)`. Dropout drops, noise
    /// is added, `BatchNormalization` takes the statistics of the batch (and leaves its moving ones
    /// as they are). Off by default. A layer that a file from before Keras 3 calls with `training=True`
    /// or `False` does as the file says; Keras 3 itself goes by the caller.
    #[must_use]
    pub fn training(mut self, training: bool) -> Self {
        self.training = training;
        self
    }

    /// Where the random numbers start; 0 by default. The same seed gives the same numbers on any
    /// machine and for any number of threads. They have the distributions of Keras's, not its values.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Rows that are computed at once: `model.predict(batch_size=..)`. By default all of them,
    /// unless they need more than [`memory`](Self::memory).
    ///
    /// A layer that looks at several rows (an operation along the first axis, batch statistics)
    /// then sees one part at a time, as in Keras, whose default is 32.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = Some(rows);
        self
    }

    /// Bytes that the values of a batch may take before it is computed in parts: 512 MiB by
    /// default. The result is that of the whole batch: models whose rows have to do with each
    /// other, stateful ones and `training(true)` are never split by themselves.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }
}

impl Model {
    /// The outputs for these inputs, all in the order of the model: `model.predict`.
    ///
    /// Large batches are computed in parts, as [`Predict::memory`] says, and in smaller ones that stay in
    /// the cache where that is faster.
    ///
    /// # Errors
    /// [`Error::InputCount`] and [`Error::Input`] if the inputs are not what the model takes;
    /// [`Error::Layer`] and [`Error::Unsupported`] if a layer cannot be computed for them.
    pub fn predict(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.predict_with(inputs, &Predict::new())
    }

    /// The outputs for the rows of the inputs, `size` rows at a time, one behind the other:
    /// `model.predict(batch_size=size)`.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_batches(&self, inputs: &[Tensor], size: usize) -> Result<Vec<Tensor>> {
        self.predict_with(inputs, &Predict::new().batch_size(size))
    }

    /// As [`predict`](Self::predict), with choices.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_with(&self, inputs: &[Tensor], how: &Predict) -> Result<Vec<Tensor>> {
        if self.is_stateful {
            let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            return self.predict_from(inputs, how, &mut states);
        }
        self.predict_from(inputs, how, &mut States::default())
    }

    /// The same from these states.
    pub(crate) fn predict_from(
        &self,
        inputs: &[Tensor],
        how: &Predict,
        states: &mut States,
    ) -> Result<Vec<Tensor>> {
        let inputs = self.fitted(inputs)?;
        match (how.batch_size, rows(&inputs)) {
            (Some(size), Some(rows)) if size > 0 && size < rows => {
                self.parts(&inputs, rows, size, how, states)
            }
            _ => self.batch(&inputs, how, how.seed, states),
        }
    }

    /// Rows that are computed at once, or in parts if there is not the memory.
    fn batch(
        &self,
        inputs: &[Cow<'_, Tensor>],
        how: &Predict,
        seed: u64,
        states: &mut States,
    ) -> Result<Vec<Tensor>> {
        match (self.plan(inputs, how.training, how.memory)?, rows(inputs)) {
            (Planned::Parts(size, _whole), Some(rows)) => {
                self.parts(inputs, rows, size, how, states)
            }
            (Planned::Parts(..), None) => Err(Error::Value("a batch has no rows".to_owned())),
            (Planned::Whole(lowered), _) => self.run(&lowered, inputs, &[], seed, states),
            (Planned::ByValue, _) => {
                let lowered = self.lower_by_value(inputs, how.training, None)?;
                self.run(&lowered, inputs, &[], seed, states)
            }
        }
    }

    fn parts(
        &self,
        inputs: &[Cow<'_, Tensor>],
        rows: usize,
        size: usize,
        how: &Predict,
        states: &mut States,
    ) -> Result<Vec<Tensor>> {
        let mut outputs: Vec<Vec<Tensor>> = Vec::with_capacity(rows.div_ceil(size));
        for (part, start) in (0..rows).step_by(size).enumerate() {
            let rows = inputs.iter().map(|t| t.rows(start, start + size));
            let rows: Inputs<'_> = rows.map(|t| t.map(Cow::Owned)).collect::<Result<_>>()?;
            // Each part has random numbers of its own.
            let seed = how.seed.wrapping_add((part as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            outputs.push(self.batch(&rows, how, seed, states)?);
        }
        let count = outputs.first().map_or(0, Vec::len);
        let output = |i: usize| {
            let parts: Vec<&Tensor> = outputs.iter().filter_map(|o| o.get(i)).collect();
            Tensor::concat_rows(&parts)
        };
        (0..count).map(output).collect()
    }
}

/// The number of rows, if all inputs have the same.
pub(crate) fn rows(inputs: &[Cow<'_, Tensor>]) -> Option<usize> {
    let rows = *inputs.first()?.shape().first()?;
    inputs.iter().all(|t| t.shape().first() == Some(&rows)).then_some(rows)
}
