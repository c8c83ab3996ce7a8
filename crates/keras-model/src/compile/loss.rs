//! Losses. Source: `keras/src/losses/losses.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kinds::{SHARED_ALIASES, argument, class_of, dtype, kinds, object, to_config};
use crate::{DType, Error, Result};

kinds! {
    /// The function between targets and predictions.
    LossKind {
        MeanSquaredError {},
        MeanAbsoluteError {},
        MeanAbsolutePercentageError {},
        MeanSquaredLogarithmicError {},
        CosineSimilarity { axis: Option<Axes> = Some(Axes::LAST) },
        Huber { delta: f64 = 1.0 },
        LogCosh {},
        Hinge {},
        SquaredHinge {},
        CategoricalHinge {},
        KLDivergence {},
        Poisson {},
        BinaryCrossentropy {
            from_logits: bool = false, label_smoothing: f64 = 0.0,
            axis: Option<Axes> = Some(Axes::LAST),
        },
        BinaryFocalCrossentropy {
            apply_class_balancing: bool = false, alpha: f64 = 0.25, gamma: f64 = 2.0,
            from_logits: bool = false, label_smoothing: f64 = 0.0,
            axis: Option<Axes> = Some(Axes::LAST),
        },
        CategoricalCrossentropy {
            from_logits: bool = false, label_smoothing: f64 = 0.0, axis: i64 = -1,
        },
        CategoricalFocalCrossentropy {
            alpha: OneOrMany = OneOrMany::One(0.25), gamma: f64 = 2.0, from_logits: bool = false,
            label_smoothing: f64 = 0.0, axis: i64 = -1,
        },
        SparseCategoricalCrossentropy {
            from_logits: bool = false, ignore_class: Option<i64>, axis: i64 = -1,
        },
        CTC {},
        Dice { axis: Option<Axes> },
        Tversky { alpha: f64 = 0.5, beta: f64 = 0.5, axis: Option<Axes> },
        Circle { gamma: f64 = 80.0, margin: f64 = 0.4, remove_diagonal: bool = true },
        CategoricalGeneralizedCrossEntropy { q: f64 = 0.5 },
        // Named `crossentropy`, `compile` chooses among the classes by the shapes.
        ChosenCrossentropy {},
    }
}

/// Names that only losses have. Sources: `keras/src/trainers/compile_utils.py`, Keras 3.15, and
/// `keras/losses.py`, Keras 2.3.1.
const ALIASES: &[(&str, &str)] = &[
    ("ce", "ChosenCrossentropy"),
    ("crossentropy", "ChosenCrossentropy"),
    ("huber_loss", "Huber"),
    ("logcosh", "LogCosh"),
];

/// Several axes, or one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Axes {
    /// One axis.
    One(i64),
    /// Several.
    Many(Vec<i64>),
}

impl Axes {
    /// The last one.
    pub const LAST: Self = Self::One(-1);
}

/// A number, or one for each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// The same for all.
    One(f64),
    /// One for each.
    Many(Vec<f64>),
}

/// How the losses of the samples of a batch become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The sum divided by the number of values: also what `auto` of Keras 2 means, and `mean`.
    #[default]
    #[serde(alias = "auto", alias = "mean")]
    SumOverBatchSize,
    /// The sum divided by the sum of the sample weights.
    MeanWithSampleWeight,
    /// The sum.
    Sum,
    /// None: one number per value.
    None,
}

/// A loss as a model was compiled with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// The function.
    pub kind: LossKind,
    /// How the values of a batch are joined.
    pub reduction: Reduction,
    /// Its name, where it is not the class's own.
    pub name: Option<String>,
    /// What it computes in, where that is not `float32`. Keras does not save it.
    pub dtype: Option<DType>,
}

impl Loss {
    /// From a name or a serialised object.
    ///
    /// # Errors
    /// [`Error::Config`] if it is neither, or an argument has the wrong type.
    pub fn from_config(value: &Value) -> Result<Self> {
        let wrong = || Error::config("loss", format!("neither a name nor an object: {value}"));
        let (name, config) = object(value).ok_or_else(wrong)?;
        let class = class_of(name, LossKind::CLASSES, &[SHARED_ALIASES, ALIASES]);
        // `null` is Python's `None`: one number per value.
        let reduction: Option<Reduction> =
            argument(class, config, "reduction", Some(Some(Reduction::default())))?;
        Ok(Self {
            kind: LossKind::from_config(class, config)?,
            reduction: reduction.unwrap_or(Reduction::None),
            name: argument(class, config, "name", None)?,
            dtype: dtype(class, config)?,
        })
    }

    /// As Keras 3 writes it.
    pub(crate) fn to_config(&self) -> Value {
        if self.kind == (LossKind::ChosenCrossentropy {}) {
            return "crossentropy".into();
        }
        let is_own = !matches!(self.kind, LossKind::Custom { .. });
        let mut config = self.kind.arguments();
        if is_own {
            config.insert("reduction".into(), json!(self.reduction));
            if let Some(name) = &self.name {
                config.insert("name".into(), name.as_str().into());
            }
            if let Some(dtype) = self.dtype {
                config.insert("dtype".into(), dtype.name().into());
            }
        }
        to_config("keras.losses", self.kind.class_name(), is_own, &config)
    }
}

#[test]
fn names_aliases_and_objects_are_losses() {
    let loss = |value: Value| Loss::from_config(&value).unwrap();
    let mse = loss("mse".into());
    assert_eq!(mse.kind, LossKind::MeanSquaredError {});
    assert_eq!(mse, loss("mean_squared_error".into()));
    let focal = loss(serde_json::json!({
        "class_name": "BinaryFocalCrossentropy", "config": {"gamma": 3, "reduction": "auto"},
    }));
    let LossKind::BinaryFocalCrossentropy { alpha, gamma, .. } = focal.kind else { panic!() };
    assert_eq!((alpha, gamma, focal.reduction), (0.25, 3.0, Reduction::SumOverBatchSize));
    assert_eq!(loss("my_loss".into()).kind.class_name(), "my_loss");
}
