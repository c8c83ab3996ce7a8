//! What a loss or a metric compares.

use crate::Tensor;

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

    /// All tensors, in the order of the fields.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &'t Tensor> {
        [Some(self.y_true), Some(self.y_pred), self.sample_weight, self.mask].into_iter().flatten()
    }
}
