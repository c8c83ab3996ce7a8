//! A metric with its variables: what batches added up, and what comes of it.

use std::collections::BTreeMap;

use keras_model::DType;
use keras_model::compile::{self, MetricKind};
use serde_json::Value as Json;

use super::metrics::{self, Compared};
use super::{Code, Codes, Samples};
use crate::custom::{Ops, SymbolicTensor};
use crate::graph::{Builder, Value};
use crate::kernels::PackedCache;
use crate::plan::Plan;
use crate::tensor::View;
use crate::weights::Weights;
use crate::writer::Writer;
use crate::{Error, Limits, Result, Tensor};

/// A metric of Keras's or of the caller's, with its variables: `keras.metrics.Metric`.
///
/// ```
/// use keras_runtime::{Metric, Samples, Tensor};
///
/// let mut metric = Metric::get(&"binary_accuracy".into())?;
/// let y_true = Tensor::new([4, 1], vec![0.0_f32, 1.0, 1.0, 0.0])?;
/// let y_pred = Tensor::new([4, 1], vec![0.2_f32, 0.8, 0.4, 0.3])?;
/// metric.update_state(&Samples::new(&y_true, &y_pred))?;
/// assert_eq!(metric.result()?.as_slice::<f32>(), Some([0.75].as_slice()));
/// metric.reset_state();
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Metric {
    config: compile::Metric,
    code: Option<Code>,
    /// Empty before the first batch, of which some shapes follow.
    variables: Vec<Tensor>,
}

impl From<compile::Metric> for Metric {
    fn from(config: compile::Metric) -> Self {
        Self { config, code: None, variables: Vec::new() }
    }
}

impl Metric {
    /// From a name (`"mae"`), or an object as `keras.metrics.serialize` writes it:
    /// `keras.metrics.get`.
    ///
    /// # Errors
    /// [`Error::Model`] if it is neither, or an argument has the wrong type.
    pub fn get(identifier: &Json) -> Result<Self> {
        Ok(compile::Metric::from_config(identifier)?.into())
    }

    /// The mean of a function of the caller's, composed of `keras.ops`: targets and predictions to one
    /// value per sample, or per place. Keras's `MeanMetricWrapper`.
    ///
    /// ```
    /// use keras_runtime::Metric;
    /// let metric = Metric::function("half_error", |ops, y_true, y_pred| {
    ///     let error = ops.abs(ops.subtract(y_true, y_pred)?)?;
    ///     ops.mean(ops.multiply(error, 0.5)?, &[-1], false)
    /// });
    /// assert_eq!(metric.name(), "half_error");
    /// ```
    pub fn function(
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let kind = MetricKind::Custom { name: name.into(), config: Json::Null };
        let config = compile::Metric { kind, name: None, dtype: None };
        Self { code: Some(Code::new(function)), ..config.into() }
    }

    /// The same metric with the caller's code, if its class is not Keras's.
    pub(super) fn with_code(config: &compile::Metric, codes: &Codes) -> Self {
        let code = match &config.kind {
            MetricKind::Custom { name, .. } => codes.get(name).cloned(),
            _ => None,
        };
        Self { code, ..config.clone().into() }
    }

    /// Its class and arguments.
    pub fn config(&self) -> &compile::Metric {
        &self.config
    }

    /// Its name in logs.
    pub fn name(&self) -> String {
        self.config.name()
    }

    /// Its variables, in Keras's order; none before the first batch.
    pub fn variables(&self) -> &[Tensor] {
        &self.variables
    }

    /// Adds a batch: `update_state(y_true, y_pred, sample_weight)`. `Mean` and `Sum` take the
    /// predictions for their values.
    ///
    /// # Errors
    /// [`Error::Training`] if the shapes do not fit each other or the class, or if its code is not
    /// Keras's.
    pub fn update_state(&mut self, samples: &Samples<'_>) -> Result<()> {
        let weights = Weights::new(Vec::new(), BTreeMap::new(), Writer::KERAS3);
        let limits = Limits::default();
        let mut b = Builder::new(&weights, limits);
        super::enter(&mut b, "Metric");
        let (y_true, y_pred, weight) = samples.inputs(&mut b);
        let added = self.lower(&mut b, y_true, y_pred, weight)?;
        let (graph, _) = b.finish(added);
        let plan = Plan::new(graph, &PackedCache::default(), true)?;
        limits.check_memory("the values of a metric", Some(plan.bytes()))?;
        let views: Vec<View<'_>> = samples.tensors().map(Tensor::view).collect();
        self.add(plan.run(&views)?)
    }

    /// What the batches come to: `result()`. A number, or one for each threshold or class; 0 if there
    /// was no batch.
    ///
    /// # Errors
    /// [`Error::Training`] if its arguments are none.
    pub fn result(&self) -> Result<Tensor> {
        if self.variables.is_empty() {
            return Ok(Tensor::scalar(0.0_f32));
        }
        let variables = self.variables.iter().cloned();
        compute(|b| {
            let variables: Vec<Value> = variables.map(|v| b.constant(v)).collect();
            let (kind, code) = (&self.config.kind, self.code.as_ref());
            let result = metrics::result(kind, code, b, &variables);
            Ok(vec![result.map_err(|error| self.named(error))?])
        })?
        .into_iter()
        .next()
        .ok_or_else(|| self.named(Error::Value("has no result".to_owned())))
    }

    /// Forgets all batches: `reset_state()`.
    pub fn reset_state(&mut self) {
        self.variables.clear();
    }

    /// What a batch adds to the variables, as values of a graph.
    pub(super) fn lower(
        &self,
        b: &mut Builder<'_>,
        y_true: Value,
        y_pred: Value,
        weight: Option<Value>,
    ) -> Result<Vec<Value>> {
        let default = if self.config.kind.counts_classes() { DType::Int64 } else { DType::Float32 };
        let dtype = self.config.dtype.unwrap_or(default);
        let samples = Compared { y_true, y_pred, weight, dtype };
        let added = metrics::add(&self.config.kind, self.code.as_ref(), b, samples);
        added.map_err(|error| self.named(error))
    }

    /// Adds what a batch adds.
    pub(super) fn add(&mut self, added: Vec<Tensor>) -> Result<()> {
        if self.variables.is_empty() {
            self.variables = added;
            return Ok(());
        }
        let own = std::mem::take(&mut self.variables);
        let shapes = |all: &[Tensor]| all.iter().map(|t| t.shape().to_vec()).collect::<Vec<_>>();
        if shapes(&own) != shapes(&added) {
            let reason = "batches have different numbers of classes".to_owned();
            return Err(self.named(Error::Value(reason)));
        }
        self.variables = compute(|b| {
            let sums = own.into_iter().zip(added).map(|(own, added)| {
                let (own, added) = (b.constant(own), b.constant(added));
                b.add(own, added)
            });
            sums.collect()
        })?;
        Ok(())
    }

    fn named(&self, error: Error) -> Error {
        super::named("metric", self.config.kind.class_name(), error)
    }
}

/// The values that `make` composes of constants.
fn compute(make: impl FnOnce(&mut Builder<'_>) -> Result<Vec<Value>>) -> Result<Vec<Tensor>> {
    let weights = Weights::new(Vec::new(), BTreeMap::new(), Writer::KERAS3);
    let mut b = Builder::new(&weights, Limits::default());
    super::enter(&mut b, "Metric");
    let values = make(&mut b)?;
    values.into_iter().map(|value| b.needed(value, "metric")).collect()
}
