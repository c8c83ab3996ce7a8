//! A loss as a model was compiled with it: the function of its class, weights, masks, a reduction.

use std::collections::BTreeMap;
use std::fmt;

use keras_model::DType;
use keras_model::compile::{self, LossKind, Reduction};
use serde_json::Value as Json;

use super::losses::{self, reduce};
use super::{Code, Codes, Samples};
use crate::custom::{Ops, SymbolicTensor};
use crate::graph::{Builder, Value, Wrt};
use crate::kernels::PackedCache;
use crate::plan::Plan;
use crate::tensor::View;
use crate::weights::Weights;
use crate::writer::Writer;
use crate::{Error, Limits, Result, Tensor};

/// A loss of Keras's or of the caller's, with its reduction: `keras.losses.Loss`.
///
/// ```
/// use keras_runtime::{Loss, Samples, Tensor};
///
/// let loss = Loss::get(&"mean_squared_error".into())?;
/// let y_true = Tensor::new([2, 2], vec![0.0_f32, 1.0, 0.0, 0.0])?;
/// let y_pred = Tensor::new([2, 2], vec![1.0_f32, 1.0, 1.0, 0.0])?;
/// let value = loss.call(&Samples::new(&y_true, &y_pred))?;
/// assert_eq!(value.as_slice::<f32>(), Some([0.5].as_slice()));
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct Loss {
    config: compile::Loss,
    code: Option<Code>,
}

impl fmt::Debug for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

impl From<compile::Loss> for Loss {
    fn from(config: compile::Loss) -> Self {
        Self { config, code: None }
    }
}

impl Loss {
    /// From a name (`"mse"`), or an object as `keras.losses.serialize` writes it: `keras.losses.get`.
    ///
    /// # Errors
    /// [`Error::Model`] if it is neither, or an argument has the wrong type.
    pub fn get(identifier: &Json) -> Result<Self> {
        Ok(compile::Loss::from_config(identifier)?.into())
    }

    /// A function of the caller's, composed of `keras.ops`: targets and predictions to one value per
    /// sample. Keras's `LossFunctionWrapper`.
    ///
    /// ```
    /// use keras_runtime::Loss;
    /// let loss = Loss::function("half_error", |ops, y_true, y_pred| {
    ///     let error = ops.abs(ops.subtract(y_true, y_pred)?)?;
    ///     ops.mean(ops.multiply(error, 0.5)?, &[-1], false)
    /// });
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    pub fn function(
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let kind = LossKind::Custom { name: name.into(), config: Json::Null };
        let config =
            compile::Loss { kind, reduction: Reduction::default(), name: None, dtype: None };
        Self { config, code: Some(Code::new(function)) }
    }

    /// The same loss with the caller's code, if its class is not Keras's.
    pub(super) fn with_code(config: &compile::Loss, codes: &Codes) -> Self {
        let code = match &config.kind {
            LossKind::Custom { name, .. } => codes.get(name).cloned(),
            _ => None,
        };
        Self { config: config.clone(), code }
    }

    /// Its class and arguments.
    pub fn config(&self) -> &compile::Loss {
        &self.config
    }

    /// `loss(y_true, y_pred, sample_weight)`: a number, or one per sample if nothing reduces them.
    ///
    /// # Errors
    /// [`Error::Training`] if the shapes do not fit each other or the class, or if its code is not
    /// Keras's.
    pub fn call(&self, samples: &Samples<'_>) -> Result<Tensor> {
        let outputs = self.run(samples, false)?;
        outputs.into_iter().next().ok_or_else(|| self.error("has no value"))
    }

    /// The loss, and the gradient of its sum with respect to the predictions.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn gradient(&self, samples: &Samples<'_>) -> Result<(Tensor, Tensor)> {
        let mut outputs = self.run(samples, true)?.into_iter();
        match (outputs.next(), outputs.next()) {
            (Some(value), Some(gradient)) => Ok((value, gradient)),
            (Some(value), None) => {
                let y_pred = samples.y_pred;
                Ok((value, Tensor::zeros(y_pred.shape(), y_pred.dtype())))
            }
            _ => Err(self.error("has no value")),
        }
    }

    fn run(&self, samples: &Samples<'_>, differentiates: bool) -> Result<Vec<Tensor>> {
        let weights = Weights::new(Vec::new(), BTreeMap::new(), Writer::KERAS3);
        let limits = Limits::default();
        let mut b = if differentiates {
            Builder::differentiating(&weights, limits, Wrt::default())
        } else {
            Builder::new(&weights, limits)
        };
        let b = &mut b;
        super::enter(b, "Loss");
        let (y_true, y_pred, weight) = samples.inputs(b);
        let value = self.lower(b, y_true, y_pred, weight)?;
        let mut outputs = vec![value];
        if differentiates {
            let (shape, dtype) = (b.shape(value).to_vec(), b.dtype(value));
            let ones = b.full(shape, 1.0, dtype)?;
            outputs.extend(
                crate::backward::backward(b, &[(value, ones)], &[y_pred])?.into_iter().flatten(),
            );
        }
        let views: Vec<View<'_>> = samples.tensors().map(Tensor::view).collect();
        let (graph, _) = b.take().finish(outputs);
        let plan = Plan::new(graph, &PackedCache::default(), true)?;
        limits.check_memory("the values of a loss", Some(plan.bytes()))?;
        plan.run(&views)
    }

    /// Adds the loss to a graph: a number, or one per sample if nothing reduces them.
    pub(crate) fn lower(
        &self,
        b: &mut Builder<'_>,
        y_true: Value,
        y_pred: Value,
        sample_weight: Option<Value>,
    ) -> Result<Value> {
        self.reduced(b, y_true, y_pred, sample_weight)
            .map_err(|error| super::named("loss", self.config.kind.class_name(), error))
    }

    fn reduced(
        &self,
        b: &mut Builder<'_>,
        y_true: Value,
        y_pred: Value,
        sample_weight: Option<Value>,
    ) -> Result<Value> {
        let dtype = self.config.dtype.unwrap_or(DType::Float32);
        let mask = b.mask(y_pred);
        let (y_true, y_pred) = (b.cast(y_true, dtype)?, b.cast(y_pred, dtype)?);
        let values = match (&self.config.kind, &self.code) {
            (LossKind::Custom { config, .. }, Some(code)) => {
                // A function gets tensors of the same rank; a class takes them as they are.
                let is_function = config.is_null();
                let (y_true, y_pred) = if is_function {
                    reduce::same_rank(b, y_true, y_pred, true)?
                } else {
                    (y_true, y_pred)
                };
                code.call(b, config, y_true, y_pred)?
            }
            (kind, _) => {
                let (y_true, y_pred) = reduce::same_rank(b, y_true, y_pred, true)?;
                losses::function(kind, b, y_true, y_pred)?
            }
        };
        let own = b.mask(values);
        let mask = reduce::both_masks(b, mask, own)?;
        let values = b.cast(values, dtype)?;
        reduce::weighted(b, values, sample_weight, mask, self.config.reduction)
    }

    fn error(&self, reason: &str) -> Error {
        super::named("loss", self.config.kind.class_name(), Error::Value(reason.to_owned()))
    }
}
