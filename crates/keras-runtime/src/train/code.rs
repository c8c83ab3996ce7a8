//! Losses and metrics of the caller's.

use std::collections::BTreeMap;
use std::sync::Arc;

use keras_model::{Arg, Inputs};
use serde_json::Value as Json;

use crate::Result;
use crate::custom::{Ops, SymbolicTensor};
use crate::graph::{Builder, Value};

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
