//! Losses and metrics of the caller's.

use std::collections::BTreeMap;
use std::sync::Arc;

use keras_model::{Arg, Inputs};
use serde_json::Value as Json;

use crate::custom::{Ops, SymbolicTensor};
use crate::graph::{Builder, Value};
use crate::{Model, Result};

/// A function of targets and predictions, composed of `keras.ops`.
#[derive(Clone)]
pub(crate) struct Code(Arc<Function>);

type Function =
    dyn Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor> + Send + Sync;

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

impl Code {
    pub(crate) fn new(
        function: impl Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(function))
    }

    /// Its values; the entries of `config` are arguments of the call.
    pub(super) fn call(
        &self,
        b: &mut Builder<'_>,
        config: &Json,
        y_true: Value,
        y_pred: Value,
    ) -> Result<Value> {
        let entries = config.as_object().into_iter().flatten();
        let kwargs = entries.map(|(name, value)| (name.clone(), Arg::Value(value.clone())));
        let args = vec![Arg::Tensor(y_true), Arg::Tensor(y_pred)];
        let inputs = Inputs { args, kwargs: kwargs.collect() };
        let (y_true, y_pred) = (SymbolicTensor(y_true), SymbolicTensor(y_pred));
        let value = Ops::with(b, inputs, Vec::new(), |ops| (self.0)(ops, y_true, y_pred))?;
        Ok(value.0)
    }
}

impl Model {
    /// Says what stands for a loss of that name from now on, as [`Loader::loss`](crate::Loader::loss)
    /// does: for one that [`compile`](Self::compile) is to name.
    ///
    /// ```
    /// use keras_runtime::keras_model::compile::CompileConfig;
    /// use keras_runtime::keras_model::{CustomObject, CustomObjects};
    ///
    /// let mut model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
    /// model.map_loss("half_error", |ops, y_true, y_pred| {
    ///     let error = ops.abs(ops.subtract(y_true, y_pred)?)?;
    ///     ops.mean(ops.multiply(error, 0.5)?, &[-1], false)
    /// });
    /// let own = CustomObjects::new().with("half_error", CustomObject::Known);
    /// let config = serde_json::json!({"optimizer": "sgd", "loss": "half_error"});
    /// model.compile(CompileConfig::parse_with(&config, &own)?);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    pub fn map_loss(
        &mut self,
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor>
        + Send
        + Sync
        + 'static,
    ) {
        self.code.losses.insert(name.into(), Code::new(function));
        self.steps.clear();
    }

    /// The same for a metric: [`Loader::metric`](crate::Loader::metric).
    pub fn map_metric(
        &mut self,
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor>
        + Send
        + Sync
        + 'static,
    ) {
        self.code.metrics.insert(name.into(), Code::new(function));
        self.steps.clear();
    }
}

/// What the caller supplied.
#[derive(Clone, Debug, Default)]
pub(crate) struct CustomCode {
    pub(crate) losses: Codes,
    pub(crate) metrics: Codes,
}

/// Functions by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codes(BTreeMap<String, Code>);

impl Codes {
    pub(crate) fn insert(&mut self, name: String, code: Code) {
        self.0.insert(name, code);
    }

    /// What the name stands for: itself, else what is behind the package that it names.
    pub(super) fn get(&self, name: &str) -> Option<&Code> {
        let own = || self.0.get(name.rsplit_once('>')?.1);
        self.0.get(name).or_else(own)
    }
}
