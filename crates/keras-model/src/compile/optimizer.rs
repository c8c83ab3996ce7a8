//! Optimizers. Source: `keras/src/optimizers`, Keras 3.15; older spellings from
//! `keras/optimizers.py`, Keras 2.3.1, and `tf_keras/src/optimizers/legacy`, tf_keras 2.21.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::kinds::{argument, class_of, kinds, object, to_config};
use super::schedule::Schedule;
use crate::model::snake_case;
use crate::{Error, Result};

kinds! {
    /// The rule of an update, with what only this rule has.
    OptimizerKind {
        SGD { momentum: f64 = 0.0, nesterov: bool = false },
        RMSprop {
            rho: f64 = 0.9, momentum: f64 = 0.0, epsilon: f64 = 1e-7, centered: bool = false,
        },
        Adam { beta_1: f64 = 0.9, beta_2: f64 = 0.999, epsilon: f64 = 1e-7, amsgrad: bool = false },
        AdamW { beta_1: f64 = 0.9, beta_2: f64 = 0.999, epsilon: f64 = 1e-7, amsgrad: bool = false },
        Adamax { beta_1: f64 = 0.9, beta_2: f64 = 0.999, epsilon: f64 = 1e-7 },
        // `schedule_decay`: Keras 1 and 2; Keras 3 has 0.004 as a constant.
        Nadam {
            beta_1: f64 = 0.9, beta_2: f64 = 0.999, epsilon: f64 = 1e-7, schedule_decay: f64 = 0.004,
        },
        Lamb { beta_1: f64 = 0.9, beta_2: f64 = 0.999, epsilon: f64 = 1e-7 },
        Adagrad { initial_accumulator_value: f64 = 0.1, epsilon: f64 = 1e-7 },
        Adadelta { rho: f64 = 0.95, epsilon: f64 = 1e-7 },
        Ftrl {
            learning_rate_power: f64 = -0.5, initial_accumulator_value: f64 = 0.1,
            l1_regularization_strength: f64 = 0.0, l2_regularization_strength: f64 = 0.0,
            l2_shrinkage_regularization_strength: f64 = 0.0, beta: f64 = 0.0,
        },
        Lion { beta_1: f64 = 0.9, beta_2: f64 = 0.99 },
        Adafactor {
            beta_2_decay: f64 = -0.8, epsilon_1: f64 = 1e-30, epsilon_2: f64 = 0.001,
            clip_threshold: f64 = 1.0, relative_step: bool = true,
        },
        Muon {
            adam_beta_1: f64 = 0.9, adam_beta_2: f64 = 0.999, adam_weight_decay: Option<f64>,
            epsilon: f64 = 1e-7, exclude_layers: Vec<String> = Vec::new(),
            exclude_embeddings: bool = true, muon_a: f64 = 3.4445, muon_b: f64 = -4.775,
            muon_c: f64 = 2.0315, adam_lr_ratio: f64 = 1.0, momentum: f64 = 0.95, ns_steps: usize = 5,
            nesterov: bool = true, rms_rate: Option<f64>,
        },
        ScheduleFreeAdamW {
            beta_1: f64 = 0.9, beta_2: f64 = 0.999, epsilon: f64 = 1e-8, warmup_steps: f64 = 0.0,
        },
        LossScaleOptimizer {
            inner_optimizer: Inner, initial_scale: f64 = 32768.0, dynamic_growth_steps: f64 = 2000.0,
        },
        MultiOptimizer { optimizer_map: OptimizerMap },
    }
}

impl OptimizerKind {
    /// Whether Muon leaves a variable to Adam: it is no matrix, an embedding, or its path has one of
    /// the excluded words (regular expressions).
    /// Source: `Muon._should_use_adamw`, `keras/src/optimizers/muon.py`, Keras 3.15.
    pub fn is_left_to_adam(&self, path: &str, rank: usize) -> bool {
        let Self::Muon { exclude_layers, exclude_embeddings, .. } = self else { return false };
        let fits = |word: &String| {
            regex_lite::Regex::new(word).map_or(path.contains(word), |regex| regex.is_match(path))
        };
        rank != 2
            || *exclude_embeddings && path.to_lowercase().contains("embedding")
            || exclude_layers.iter().any(fits)
    }
}

/// How fast the weights move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LearningRate {
    /// The same at each step. Where the file also stores it as a variable, that one wins.
    Constant(f64),
    /// By the number of steps made.
    Schedule(Schedule),
}

/// An optimizer as a model was compiled with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Optimizer {
    /// The rule and its arguments.
    pub kind: OptimizerKind,
    /// Its name, which stands in the names of its variables.
    pub name: Option<String>,
    /// How fast the weights move.
    pub learning_rate: LearningRate,
    /// Keras 1 and 2: the rate is `learning_rate / (1 + decay * steps)`.
    pub decay: f64,
    /// Part of each weight that is taken off at each step, times the learning rate.
    pub weight_decay: Option<f64>,
    /// Largest norm of the gradient of one variable.
    pub clipnorm: Option<f64>,
    /// Largest absolute value in a gradient.
    pub clipvalue: Option<f64>,
    /// Largest norm of all gradients together.
    pub global_clipnorm: Option<f64>,
    /// Whether a moving average of the weights is kept.
    pub use_ema: bool,
    /// Its momentum.
    pub ema_momentum: f64,
    /// After how many steps it replaces the weights; only at the end of `fit` if not given.
    pub ema_overwrite_frequency: Option<u64>,
    /// What the loss is multiplied by before gradients are taken.
    pub loss_scale_factor: Option<f64>,
    /// Steps whose gradients are averaged before one update.
    pub gradient_accumulation_steps: Option<u64>,
}

/// An optimizer within another one.
pub type Inner = Box<Optimizer>;

/// Which of several optimizers updates a variable.
/// Source: `keras/src/optimizers/multi_optimizer.py`, Keras 3.15.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OptimizerMap {
    /// For what the map does not name.
    pub default_optimizer: Inner,
    /// By the path of the variable, or a regular expression that fits all of it.
    pub optimizer_map: Vec<(String, Optimizer)>,
}

impl OptimizerMap {
    /// All of them, the default one last.
    pub fn optimizers(&self) -> Vec<&Optimizer> {
        let mapped = self.optimizer_map.iter().map(|(_, optimizer)| optimizer);
        mapped.chain([self.default_optimizer.as_ref()]).collect()
    }

    /// The one that updates the variable with this path.
    pub fn of(&self, path: &str) -> &Optimizer {
        let exact = self.optimizer_map.iter().find(|(key, _)| key == path);
        let fits = |key: &str| {
            regex_lite::Regex::new(&format!("^(?:{key})$")).is_ok_and(|regex| regex.is_match(path))
        };
        let found = exact.or_else(|| self.optimizer_map.iter().find(|(key, _)| fits(key)));
        found.map_or(&self.default_optimizer, |(_, optimizer)| optimizer)
    }
}

impl<'de> serde::Deserialize<'de> for OptimizerMap {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = Value::deserialize(deserializer)?;
        let config = value.get("config").unwrap_or(&value);
        let read = |value: &Value| Optimizer::from_config(value).map_err(D::Error::custom);
        let default = config
            .get("default_optimizer")
            .ok_or_else(|| D::Error::custom("an optimizer map without default_optimizer"))?;
        let map = config.get("optimizer_map").and_then(Value::as_object);
        Ok(Self {
            default_optimizer: Box::new(read(default)?),
            optimizer_map: map
                .into_iter()
                .flatten()
                .map(|(key, value)| Ok((key.clone(), read(value)?)))
                .collect::<Result<_, D::Error>>()?,
        })
    }
}

impl<'de> serde::Deserialize<'de> for Optimizer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_config(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Optimizer {
    /// From a name or a serialised object of any Keras.
    ///
    /// # Errors
    /// [`Error::Config`] if it is neither, or an argument has the wrong type.
    pub fn from_config(value: &Value) -> Result<Self> {
        let wrong = || Error::config("optimizer", format!("neither a name nor an object: {value}"));
        let (name, config) = object(value).ok_or_else(wrong)?;
        let class = class_of(name, OptimizerKind::CLASSES, &[]);
        macro_rules! get {
            ($name:literal, $default:expr) => {
                argument(class, config, $name, $default)?
            };
        }
        let kind = OptimizerKind::from_config(class, config)?;
        let default_rate = match kind {
            OptimizerKind::SGD { .. } => 0.01,
            OptimizerKind::ScheduleFreeAdamW { .. } => 0.0025,
            _ => 0.001,
        };
        Ok(Self {
            name: get!("name", None),
            learning_rate: match config.get("learning_rate").or_else(|| config.get("lr")) {
                None | Some(Value::Null) => LearningRate::Constant(default_rate),
                Some(value) => learning_rate(value)?,
            },
            decay: get!("decay", Some(0.0)),
            weight_decay: get!("weight_decay", None),
            clipnorm: get!("clipnorm", None),
            clipvalue: get!("clipvalue", None),
            global_clipnorm: get!("global_clipnorm", None),
            use_ema: get!("use_ema", Some(false)),
            ema_momentum: get!("ema_momentum", Some(0.99)),
            ema_overwrite_frequency: get!("ema_overwrite_frequency", None),
            loss_scale_factor: get!("loss_scale_factor", None),
            gradient_accumulation_steps: get!("gradient_accumulation_steps", None),
            kind,
        })
    }
}

impl Optimizer {
    /// As Keras 3 writes it. What only older Keras has is told in what Keras 3 has: `decay` is a
    /// schedule.
    pub(crate) fn to_config(&self) -> Value {
        let mut config = Map::new();
        if let Some(name) = &self.name {
            config.insert("name".into(), name.as_str().into());
        }
        let has_rate = match &self.kind {
            OptimizerKind::LossScaleOptimizer { .. } => false,
            OptimizerKind::MultiOptimizer { .. } => {
                config.insert("loss_scale_factor".into(), json!(self.loss_scale_factor));
                false
            }
            _ => true,
        };
        if has_rate {
            let rest = json!({
                "learning_rate": self.rate().to_config(),
                "weight_decay": self.weight_decay,
                "clipnorm": self.clipnorm,
                "global_clipnorm": self.global_clipnorm,
                "clipvalue": self.clipvalue,
                "use_ema": self.use_ema,
                "ema_momentum": self.ema_momentum,
                "ema_overwrite_frequency": self.ema_overwrite_frequency,
                "loss_scale_factor": self.loss_scale_factor,
                "gradient_accumulation_steps": self.gradient_accumulation_steps,
            });
            config.extend(rest.as_object().cloned().unwrap_or_default());
        }
        config.extend(self.kind.arguments());
        match &self.kind {
            OptimizerKind::LossScaleOptimizer { inner_optimizer, .. } => {
                config.insert("inner_optimizer".into(), inner_optimizer.to_config());
            }
            OptimizerKind::MultiOptimizer { optimizer_map } => {
                config.insert("optimizer_map".into(), optimizer_map.to_config());
            }
            // A constant of Keras 3.
            OptimizerKind::Nadam { .. } => _ = config.remove("schedule_decay"),
            _ => {}
        }
        let is_own = !matches!(self.kind, OptimizerKind::Custom { .. });
        to_config("keras.optimizers", self.kind.class_name(), is_own, &config)
    }

    /// Its name in paths of Keras 3: its own, or that of its class.
    pub(crate) fn keras3_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| snake_case(self.kind.class_name()))
    }

    /// The learning rate with the decay of older Keras in it.
    pub(crate) fn rate(&self) -> LearningRate {
        match &self.learning_rate {
            LearningRate::Constant(rate) if self.decay != 0.0 => {
                LearningRate::Schedule(Schedule::InverseTimeDecay {
                    initial_learning_rate: *rate,
                    decay_steps: 1.0,
                    decay_rate: self.decay,
                    staircase: false,
                })
            }
            other => other.clone(),
        }
    }
}

impl LearningRate {
    fn to_config(&self) -> Value {
        match self {
            Self::Constant(rate) => (*rate).into(),
            Self::Schedule(schedule) => {
                let is_own = !matches!(schedule, Schedule::Custom { .. });
                let module = "keras.optimizers.schedules";
                to_config(module, schedule.class_name(), is_own, &schedule.arguments())
            }
        }
    }
}

impl OptimizerMap {
    fn to_config(&self) -> Value {
        let map = self.optimizer_map.iter();
        let map: Map<_, _> = map.map(|(key, one)| (key.clone(), one.to_config())).collect();
        let mut config = Map::new();
        config.insert("default_optimizer".into(), self.default_optimizer.to_config());
        config.insert("optimizer_map".into(), map.into());
        to_config("keras.optimizers", "OptimizerMap", true, &config)
    }
}

fn learning_rate(value: &Value) -> Result<LearningRate> {
    if let Some(rate) = value.as_f64() {
        return Ok(LearningRate::Constant(rate));
    }
    let wrong =
        || Error::config("learning_rate", format!("neither a number nor a schedule: {value}"));
    let (class, config) = object(value).ok_or_else(wrong)?;
    Ok(LearningRate::Schedule(Schedule::from_config(class, config)?))
}

#[test]
fn old_and_new_spellings_are_one_optimizer() {
    let optimizer = |value: Value| Optimizer::from_config(&value).unwrap();
    let old = optimizer(serde_json::json!({"class_name": "Adam", "config": {
        "lr": 0.5, "beta_1": 0.8, "beta_2": 0.999, "epsilon": null, "decay": 0.1,
    }}));
    let new = optimizer(serde_json::json!({"class_name": "Custom>Adam", "config": {
        "learning_rate": 0.5, "beta_1": 0.8, "is_legacy_optimizer": false,
    }}));
    assert_eq!(old.kind, new.kind);
    assert!((old.decay - 0.1).abs() < f64::EPSILON);
    assert_eq!(old.learning_rate, LearningRate::Constant(0.5));
    assert_eq!(optimizer("rmsprop".into()).kind.class_name(), "RMSprop");
    let scheduled = optimizer(serde_json::json!({"class_name": "SGD", "config": {
        "learning_rate": {"class_name": "PiecewiseConstantDecay",
                          "config": {"boundaries": [1, 2], "values": [1.0, 0.1, 0.01]}},
    }}));
    let LearningRate::Schedule(Schedule::PiecewiseConstantDecay { values, .. }) =
        scheduled.learning_rate
    else {
        panic!()
    };
    assert_eq!(values, [1.0, 0.1, 0.01]);
}
