//! Metrics. Source: `keras/src/metrics`, Keras 3.15.

use serde::Serialize;
use serde_json::Value;

use super::kinds::{SHARED_ALIASES, argument, class_of, dtype, kinds, object, to_config};
use super::loss::{Axes, Loss, LossKind, OneOrMany};
use crate::model::snake_case;
use crate::{DType, Error, Result};

kinds! {
    /// What is measured.
    MetricKind {
        // keras/src/metrics/accuracy_metrics.py
        Accuracy {},
        BinaryAccuracy { threshold: f64 = 0.5 },
        CategoricalAccuracy {},
        SparseCategoricalAccuracy {},
        TopKCategoricalAccuracy { k: usize = 5 },
        SparseTopKCategoricalAccuracy { k: usize = 5, from_sorted_ids: bool = false },
        // keras/src/metrics/confusion_metrics.py
        FalsePositives { thresholds: Option<OneOrMany> },
        FalseNegatives { thresholds: Option<OneOrMany> },
        TrueNegatives { thresholds: Option<OneOrMany> },
        TruePositives { thresholds: Option<OneOrMany> },
        Precision { thresholds: Option<OneOrMany>, top_k: Option<usize>, class_id: Option<usize> },
        Recall { thresholds: Option<OneOrMany>, top_k: Option<usize>, class_id: Option<usize> },
        SensitivityAtSpecificity {
            specificity: f64, num_thresholds: usize = 200, class_id: Option<usize>,
        },
        SpecificityAtSensitivity {
            sensitivity: f64, num_thresholds: usize = 200, class_id: Option<usize>,
        },
        PrecisionAtRecall { recall: f64, num_thresholds: usize = 200, class_id: Option<usize> },
        RecallAtPrecision { precision: f64, num_thresholds: usize = 200, class_id: Option<usize> },
        AUC {
            num_thresholds: usize = 200, curve: String = "ROC".to_owned(),
            summation_method: String = "interpolation".to_owned(), thresholds: Option<Vec<f64>>,
            multi_label: bool = false, num_labels: Option<usize>, label_weights: Option<Value>,
            from_logits: bool = false,
        },
        // keras/src/metrics/correlation_metrics.py
        PearsonCorrelation { axis: Axes = Axes::LAST },
        ConcordanceCorrelation { axis: Axes = Axes::LAST },
        // keras/src/metrics/f_score_metrics.py
        FBetaScore { average: Option<String>, beta: f64 = 1.0, threshold: Option<f64> },
        F1Score { average: Option<String>, threshold: Option<f64> },
        // keras/src/metrics/hinge_metrics.py
        Hinge {},
        SquaredHinge {},
        CategoricalHinge {},
        // keras/src/metrics/iou_metrics.py
        IoU {
            num_classes: usize, target_class_ids: Vec<usize>, ignore_class: Option<i64>,
            sparse_y_true: bool = true, sparse_y_pred: bool = true, axis: i64 = -1,
        },
        BinaryIoU { target_class_ids: Vec<usize> = vec![0, 1], threshold: f64 = 0.5 },
        MeanIoU {
            num_classes: usize, ignore_class: Option<i64>, sparse_y_true: bool = true,
            sparse_y_pred: bool = true, axis: i64 = -1,
        },
        OneHotIoU {
            num_classes: usize, target_class_ids: Vec<usize>, ignore_class: Option<i64>,
            sparse_y_pred: bool = false, axis: i64 = -1,
        },
        OneHotMeanIoU {
            num_classes: usize, ignore_class: Option<i64>, sparse_y_pred: bool = false,
            axis: i64 = -1,
        },
        // keras/src/metrics/probabilistic_metrics.py
        KLDivergence {},
        Poisson {},
        BinaryCrossentropy { from_logits: bool = false, label_smoothing: f64 = 0.0 },
        CategoricalCrossentropy {
            from_logits: bool = false, label_smoothing: f64 = 0.0, axis: i64 = -1,
        },
        SparseCategoricalCrossentropy {
            from_logits: bool = false, ignore_class: Option<i64>, axis: i64 = -1,
        },
        // keras/src/metrics/reduction_metrics.py
        Sum {},
        Mean {},
        // keras/src/metrics/regression_metrics.py
        MeanSquaredError {},
        MeanAbsoluteError {},
        MeanAbsolutePercentageError {},
        MeanSquaredLogarithmicError {},
        RootMeanSquaredError {},
        CosineSimilarity { axis: Option<Axes> = Some(Axes::LAST) },
        LogCoshError {},
        R2Score {
            class_aggregation: Option<String> = Some("uniform_average".to_owned()),
            num_regressors: usize = 0 },
        // Named by these words, `compile` chooses among the classes by loss and shapes.
        ChosenAccuracy {},
        ChosenCrossentropy {},
    }
}

/// Names that only metrics have. Sources: `keras/src/trainers/compile_utils.py`, Keras 3.15, and
/// `keras/metrics.py`, Keras 2.3.1.
const ALIASES: &[(&str, &str)] = &[
    ("accuracy", "ChosenAccuracy"),
    ("acc", "ChosenAccuracy"),
    ("crossentropy", "ChosenCrossentropy"),
    ("ce", "ChosenCrossentropy"),
    ("log_cosh", "LogCoshError"),
    ("logcosh", "LogCoshError"),
];

impl MetricKind {
    /// What a person calls it: the class, or the word by which `compile` chooses the class.
    pub fn name(&self) -> &str {
        match self {
            Self::ChosenAccuracy {} => "accuracy",
            Self::ChosenCrossentropy {} => "crossentropy",
            kind => kind.class_name(),
        }
    }

    /// The loss of which a metric is the mean that is no class of its own: `"huber"`.
    pub fn loss(&self) -> Option<LossKind> {
        let Self::Custom { name, config } = self else { return None };
        let object = serde_json::json!({"class_name": name, "config": config});
        let loss = Loss::from_config(&object).ok()?.kind;
        (!matches!(loss, LossKind::Custom { .. })).then_some(loss)
    }

    /// Whether it counts classes in whole numbers: the family of `IoU`.
    pub fn counts_classes(&self) -> bool {
        matches!(
            self,
            Self::IoU { .. }
                | Self::BinaryIoU { .. }
                | Self::MeanIoU { .. }
                | Self::OneHotIoU { .. }
                | Self::OneHotMeanIoU { .. }
        )
    }
}

/// A metric as a model was compiled with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// What is measured.
    pub kind: MetricKind,
    /// Its name in logs, where the file says it.
    pub name: Option<String>,
    /// What it computes in, where the file says it.
    pub dtype: Option<DType>,
}

impl Metric {
    /// Its name in logs: the name that the file says, the word or function that stands there alone,
    /// else what Keras calls the first one of its class.
    pub fn name(&self) -> String {
        match (&self.name, &self.kind) {
            (Some(name), _) => name.clone(),
            (None, MetricKind::Custom { name, .. }) => own_name(name).to_owned(),
            (None, MetricKind::LogCoshError {}) => "logcosh".to_owned(),
            (None, MetricKind::FBetaScore { .. }) => "fbeta_score".to_owned(),
            (None, kind) => snake_case(kind.name()),
        }
    }

    /// From a name or a serialised object; a `MeanMetricWrapper` is the function in it.
    ///
    /// # Errors
    /// [`Error::Config`] if it is neither, or an argument has the wrong type.
    pub fn from_config(value: &Value) -> Result<Self> {
        let wrong = || Error::config("metric", format!("neither a name nor an object: {value}"));
        let (class, config) = object(value).ok_or_else(wrong)?;
        let name: Option<String> = argument(class, config, "name", None)?;
        let dtype = dtype(class, config)?;
        let (class, config) = match (class, config.get("fn")) {
            ("MeanMetricWrapper" | "SumOverBatchSizeMetricWrapper", Some(function)) => {
                let (function, _) = object(function).ok_or_else(wrong)?;
                (function, config)
            }
            _ => (class, config),
        };
        // As in Keras a metric is called as `compile` was given it.
        let name = name.or_else(|| value.as_str().map(own_name).map(str::to_owned));
        // The class `Accuracy` is none that `"accuracy"` stands for.
        let is_class = value.is_object() && MetricKind::CLASSES.contains(&class);
        let aliases = &[SHARED_ALIASES, ALIASES];
        let class = if is_class { class } else { class_of(class, MetricKind::CLASSES, aliases) };
        Ok(Self { kind: MetricKind::from_config(class, config)?, name, dtype })
    }

    /// As Keras 3 writes it.
    pub(crate) fn to_config(&self) -> Value {
        if matches!(self.kind, MetricKind::ChosenAccuracy {} | MetricKind::ChosenCrossentropy {}) {
            return self.name.as_deref().unwrap_or(self.kind.name()).into();
        }
        let is_own = !matches!(self.kind, MetricKind::Custom { .. });
        let mut config = self.kind.arguments();
        if is_own {
            let name = self.name.as_ref().map(|name| ("name", name.as_str()));
            let dtype = self.dtype.map(|dtype| ("dtype", dtype.name()));
            let given = name.into_iter().chain(dtype);
            config.extend(given.map(|(key, value)| (key.to_owned(), value.into())));
        }
        to_config("keras.metrics", self.kind.class_name(), is_own, &config)
    }
}

/// A name without the package that it was registered in.
fn own_name(name: &str) -> &str {
    name.rsplit_once('>').map_or(name, |(_, own)| own)
}

#[test]
fn names_wrappers_and_objects_are_metrics() {
    let metric = |value: Value| Metric::from_config(&value).unwrap();
    assert_eq!(metric("acc".into()).kind, MetricKind::ChosenAccuracy {});
    assert_eq!(metric("AUC".into()).kind.class_name(), "AUC");
    let accuracy = metric(serde_json::json!({"class_name": "Accuracy", "config": {}}));
    assert_eq!(
        (accuracy.kind, metric("acc".into()).name()),
        (MetricKind::Accuracy {}, "acc".into())
    );
    let wrapped = metric(serde_json::json!({
        "class_name": "MeanMetricWrapper",
        "config": {"name": "err", "fn": {"class_name": "function", "config": "mean_squared_error"}},
    }));
    assert_eq!(wrapped.kind, MetricKind::MeanSquaredError {});
    assert_eq!(wrapped.name.as_deref(), Some("err"));
}
