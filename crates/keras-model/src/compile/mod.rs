//! What a model was compiled with: optimizer, losses, metrics, and the optimizer's state.

mod kinds;
mod loss;
mod metric;
mod optimizer;
mod schedule;
pub(crate) mod state;

use serde::Serialize;
use serde_json::{Map, Value};

pub use loss::{Axes, Loss, LossKind, OneOrMany, Reduction};
pub use metric::{Metric, MetricKind};
pub use optimizer::{Inner, LearningRate, Optimizer, OptimizerKind, OptimizerMap};
pub use schedule::Schedule;
pub use state::{OptimizerState, Scalar, StateVariable};

use crate::custom_objects::CustomObjects;
use crate::{Error, Result, UnknownObject};

/// One thing for all outputs of a model, or some for each: `compile`'s arguments.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PerOutput<T> {
    /// Nothing for this output.
    None,
    /// One.
    One(T),
    /// By the order of the outputs, or several for one output.
    List(Vec<PerOutput<T>>),
    /// By the names of the outputs, in the order of the file.
    Dict(Vec<(String, PerOutput<T>)>),
}

impl<T> PerOutput<T> {
    /// All in it, in order.
    pub fn flat(&self) -> Vec<&T> {
        match self {
            Self::None => Vec::new(),
            Self::One(one) => vec![one],
            Self::List(items) => items.iter().flat_map(Self::flat).collect(),
            Self::Dict(entries) => entries.iter().flat_map(|(_, v)| v.flat()).collect(),
        }
    }

    fn to_config(&self, one: &impl Fn(&T) -> Value) -> Value {
        match self {
            Self::None => Value::Null,
            Self::One(value) => one(value),
            Self::List(items) => items.iter().map(|item| item.to_config(one)).collect(),
            Self::Dict(entries) => {
                let entries = entries.iter().map(|(key, item)| (key.clone(), item.to_config(one)));
                entries.collect::<Map<_, _>>().into()
            }
        }
    }

    fn from_config(value: &Value, one: &mut impl FnMut(&Value) -> Result<T>) -> Result<Self> {
        Ok(match value {
            Value::Null => Self::None,
            Value::Array(items) => {
                Self::List(items.iter().map(|v| Self::from_config(v, one)).collect::<Result<_>>()?)
            }
            Value::Object(map) if !map.contains_key("class_name") => Self::Dict(
                map.iter()
                    .map(|(k, v)| Ok((k.clone(), Self::from_config(v, one)?)))
                    .collect::<Result<_>>()?,
            ),
            value => Self::One(one(value)?),
        })
    }
}

/// The arguments of `compile`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompileConfig {
    /// The optimizer, if the file has one.
    pub optimizer: Option<Optimizer>,
    /// The losses.
    pub loss: PerOutput<Loss>,
    /// What each loss counts for in the sum.
    pub loss_weights: PerOutput<f64>,
    /// Metrics that ignore sample weights.
    pub metrics: PerOutput<Metric>,
    /// Metrics that use sample weights.
    pub weighted_metrics: PerOutput<Metric>,
    /// Steps between two looks at the host.
    pub steps_per_execution: u64,
    /// Keras 2's `sample_weight_mode`: `temporal`.
    pub sample_weight_mode: Option<Value>,
}

impl CompileConfig {
    /// The arguments of `compile`, as `model.get_compile_config()` gives them, or in short: names,
    /// aliases and `{class_name, config}` objects.
    ///
    /// ```
    /// use keras_model::compile::CompileConfig;
    ///
    /// let config = CompileConfig::parse(&serde_json::json!({
    ///     "optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.01}},
    ///     "loss": "sparse_categorical_crossentropy",
    ///     "metrics": ["accuracy"],
    /// }))?;
    /// assert_eq!(config.metrics.flat().len(), 1);
    /// # Ok::<(), keras_model::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownObjects`] for what is none of Keras's or has wrong arguments: all of it.
    pub fn parse(config: &Value) -> Result<Self> {
        Self::parse_with(config, &CustomObjects::new())
    }

    /// The same where the caller has code of his own for some names.
    ///
    /// ```
    /// use keras_model::compile::CompileConfig;
    /// use keras_model::{CustomObject, CustomObjects};
    ///
    /// let own = CustomObjects::new().with("pinball", CustomObject::Known);
    /// CompileConfig::parse_with(&serde_json::json!({"loss": "pinball"}), &own)?;
    /// # Ok::<(), keras_model::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(config: &Value, custom: &CustomObjects) -> Result<Self> {
        let mut problems = Vec::new();
        let config = Self::from_config(config, custom, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(Error::UnknownObjects(problems)) }
    }

    /// From `training_config` of an `.h5` file or `compile_config` of a `.keras` file; parts that
    /// cannot be read are left out and named in `problems`: no prediction needs them.
    pub(crate) fn from_config(
        config: &Value,
        custom: &CustomObjects,
        problems: &mut Vec<UnknownObject>,
    ) -> Self {
        let empty = Value::Null;
        let get = |key: &str| config.get(key).unwrap_or(&empty);
        let optimizer = match get("optimizer") {
            Value::Null => get("optimizer_config"),
            value => value,
        };
        let optimizer = match optimizer {
            Value::Null => None,
            value => keep(Optimizer::from_config(value), "optimizer", value, problems),
        };
        let number = |v: &Value| {
            v.as_f64().ok_or_else(|| Error::config("loss_weights", format!("no number: {v}")))
        };
        let mut part =
            |key: &'static str| keep_none(get(key), key, &mut Loss::from_config, problems);
        let loss = part("loss");
        let loss_weights =
            keep_none(get("loss_weights"), "loss_weights", &mut |v| number(v), problems);
        let mut part =
            |key: &'static str| keep_none(get(key), key, &mut Metric::from_config, problems);
        let (metrics, weighted_metrics) = (part("metrics"), part("weighted_metrics"));
        let compiled = Self {
            optimizer,
            loss,
            loss_weights,
            metrics,
            weighted_metrics,
            steps_per_execution: get("steps_per_execution").as_u64().unwrap_or(1),
            sample_weight_mode: config.get("sample_weight_mode").filter(|v| !v.is_null()).cloned(),
        };
        compiled.unknown(custom, problems);
        compiled
    }

    /// `compile_config` of a `.keras` file; what it says nothing of has Keras's defaults.
    pub(crate) fn to_config(&self) -> Map<String, Value> {
        // Metrics of a single output come as a list.
        let metrics = |metrics: &PerOutput<Metric>| match metrics.to_config(&Metric::to_config) {
            one @ (Value::String(_) | Value::Object(_)) if matches!(metrics, PerOutput::One(_)) => {
                Value::Array(vec![one])
            }
            other => other,
        };
        let parts = [
            ("optimizer", self.optimizer.as_ref().map_or(Value::Null, Optimizer::to_config)),
            ("loss", self.loss.to_config(&Loss::to_config)),
            ("loss_weights", self.loss_weights.to_config(&|weight| (*weight).into())),
            ("metrics", metrics(&self.metrics)),
            ("weighted_metrics", metrics(&self.weighted_metrics)),
            ("run_eagerly", false.into()),
            ("steps_per_execution", self.steps_per_execution.into()),
        ];
        parts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Names the classes and functions that are not Keras's own.
    fn unknown(&self, custom: &CustomObjects, found: &mut Vec<UnknownObject>) {
        let mut add = |kind: &'static str, name: &str| {
            if custom.get(name).is_none() {
                found.push(UnknownObject { path: "compile".into(), kind, name: name.into() });
            }
        };
        for loss in self.loss.flat() {
            if let LossKind::Custom { name, .. } = &loss.kind {
                add("loss", name);
            }
        }
        for metric in self.metrics.flat().into_iter().chain(self.weighted_metrics.flat()) {
            if let MetricKind::Custom { name, .. } = &metric.kind
                && metric.kind.loss().is_none()
            {
                add("metric", name);
            }
        }
        let Some(optimizer) = &self.optimizer else { return };
        if let OptimizerKind::Custom { name, .. } = &optimizer.kind {
            add("optimizer", name);
        }
        if let LearningRate::Schedule(Schedule::Custom { name, .. }) = &optimizer.learning_rate {
            add("learning rate schedule", name);
        }
    }
}

fn keep<T>(
    read: Result<T>,
    kind: &'static str,
    value: &Value,
    problems: &mut Vec<UnknownObject>,
) -> Option<T> {
    let error = match read {
        Ok(read) => return Some(read),
        Err(error) => error,
    };
    let name = kinds::object(value).map_or_else(|| value.to_string(), |(name, _)| name.to_owned());
    problems.push(UnknownObject { path: format!("compile/{error}"), kind, name });
    None
}

fn keep_none<T>(
    value: &Value,
    kind: &'static str,
    one: &mut impl FnMut(&Value) -> Result<T>,
    problems: &mut Vec<UnknownObject>,
) -> PerOutput<T> {
    keep(PerOutput::from_config(value, one), kind, value, problems).unwrap_or(PerOutput::None)
}
