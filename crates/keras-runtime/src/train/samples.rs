//! What a loss or a metric compares.

use crate::Tensor;
use crate::graph::{Builder, Value};

/// Targets and predictions that a [`Loss`](crate::Loss) or a [`Metric`](crate::Metric) compares.
///
/// ```
/// use keras_runtime::{Samples, Tensor};
///
/// let y_true = Tensor::new([2, 1], vec![0.0_f32, 1.0])?;
/// let y_pred = Tensor::new([2, 1], vec![0.5_f32, 0.5])?;
/// let weight = Tensor::new([2], vec![1.0_f32, 3.0])?;
/// let samples = Samples::new(&y_true, &y_pred).sample_weight(&weight);
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Samples<'t> {
    pub(super) y_true: &'t Tensor,
    pub(super) y_pred: &'t Tensor,
    pub(super) sample_weight: Option<&'t Tensor>,
    pub(super) mask: Option<&'t Tensor>,
}

impl<'t> Samples<'t> {
    /// Targets and predictions, samples along the first axis. The other axes are those that the class
    /// takes; [`Loss`](crate::Loss) and [`Metric`](crate::Metric) say more.
    pub fn new(y_true: &'t Tensor, y_pred: &'t Tensor) -> Self {
        Self { y_true, y_pred, sample_weight: None, mask: None }
    }

    /// What each sample counts for: `[batch]`, or with more of the axes of what is weighed.
    #[must_use]
    pub fn sample_weight(mut self, sample_weight: &'t Tensor) -> Self {
        self.sample_weight = Some(sample_weight);
        self
    }

    /// Which steps count: the mask that layers before left on the predictions (`y_pred._keras_mask`),
    /// `bool`.
    #[must_use]
    pub fn mask(mut self, mask: &'t Tensor) -> Self {
        self.mask = Some(mask);
        self
    }

    /// Inputs of a graph for targets, predictions with their mask, and weights.
    pub(super) fn inputs(&self, b: &mut Builder<'_>) -> (Value, Value, Option<Value>) {
        let mut input = |t: &Tensor| b.input(t.shape(), t.dtype());
        let (y_true, y_pred) = (input(self.y_true), input(self.y_pred));
        let weight = self.sample_weight.map(&mut input);
        let mask = self.mask.map(&mut input);
        b.set_mask(y_pred, mask);
        (y_true, y_pred, weight)
    }

    /// All tensors, in the order of the fields.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &'t Tensor> {
        [Some(self.y_true), Some(self.y_pred), self.sample_weight, self.mask].into_iter().flatten()
    }
}
