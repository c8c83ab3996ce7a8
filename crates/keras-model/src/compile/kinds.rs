//! Tables of Keras classes with typed arguments: one row per class.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::custom_objects::function_object;
use crate::dtype::DTypePolicy;
use crate::model::snake_case;
use crate::{DType, Error, Result};

/// An enum with one variant per class. `argument: type = default` where Keras has a default,
/// `argument: type` where it asks for one.
macro_rules! kinds {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($class:ident { $($argument:ident: $type:ty $(= $default:expr)?),* $(,)? }),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(tag = "class_name", content = "config")]
        #[allow(missing_docs, reason = "classes and arguments are Keras's")]
        pub enum $name {
            $($class { $($argument: $type),* },)*
            /// A class or function that is not Keras's own.
            Custom { name: String, config: serde_json::Value },
        }

        impl $name {
            /// Keras's own classes.
            pub const CLASSES: &'static [&'static str] = &[$(stringify!($class)),*];

            /// The class with its arguments from `config`; those that are missing have Keras's
            /// defaults. A class that is not Keras's own becomes `Custom`.
            pub(crate) fn from_config(
                class: &str,
                config: &serde_json::Value,
            ) -> crate::Result<Self> {
                match class {
                    $(stringify!($class) => Ok(Self::$class {
                        $($argument: $crate::compile::kinds::argument(
                            class, config, stringify!($argument), None $(.or(Some($default)))?,
                        )?,)*
                    }),)*
                    _ => Ok(Self::Custom { name: class.to_owned(), config: config.clone() }),
                }
            }

            /// Its arguments, as [`from_config`](Self::from_config) reads them.
            pub(crate) fn arguments(&self) -> serde_json::Map<String, serde_json::Value> {
                let object = match self {
                    Self::Custom { config, .. } => config.clone(),
                    // `{class_name, config}`.
                    own => serde_json::to_value(own)
                        .ok()
                        .and_then(|mut object| Some(object.get_mut("config")?.take()))
                        .unwrap_or_default(),
                };
                match object {
                    serde_json::Value::Object(arguments) => arguments,
                    _ => serde_json::Map::new(),
                }
            }

            /// The class's name.
            pub fn class_name(&self) -> &str {
                match self {
                    $(Self::$class { .. } => stringify!($class),)*
                    Self::Custom { name, .. } => name,
                }
            }
        }
    };
}

pub(super) use kinds;

/// One argument of a class.
pub(crate) fn argument<T: DeserializeOwned>(
    class: &str,
    config: &Value,
    name: &str,
    default: Option<T>,
) -> Result<T> {
    let place = || format!("{class}/{name}");
    match (config.get(name), default) {
        // `null` where Keras has another default: nothing, if the type has that.
        (Some(Value::Null), Some(default)) => {
            Ok(serde_json::from_value(Value::Null).unwrap_or(default))
        }
        (Some(value), _) => {
            serde_json::from_value(value.clone()).map_err(|e| Error::config(place(), e.to_string()))
        }
        (None, Some(default)) => Ok(default),
        // An `Option` without a default in the table reads as `None`.
        (None, None) => {
            serde_json::from_value(Value::Null).map_err(|_| Error::config(place(), "is missing"))
        }
    }
}

/// The argument `dtype` of a loss or a metric: a name, or a policy of which only its name counts.
pub(super) fn dtype(class: &str, config: &Value) -> Result<Option<DType>> {
    let policy: Option<DTypePolicy> = argument(class, config, "dtype", None)?;
    Ok(policy.map(|policy| policy.compute))
}

/// Names of functions that are no spelling of the class that computes the same, for losses and
/// metrics alike. Sources: `keras/src/losses/__init__.py`, Keras 3.15, and `keras/losses.py`,
/// Keras 2.3.1.
pub(super) const SHARED_ALIASES: &[(&str, &str)] = &[
    ("bce", "BinaryCrossentropy"),
    ("kld", "KLDivergence"),
    ("kullback_leibler_divergence", "KLDivergence"),
    ("mae", "MeanAbsoluteError"),
    ("mse", "MeanSquaredError"),
    ("mape", "MeanAbsolutePercentageError"),
    ("msle", "MeanSquaredLogarithmicError"),
    ("cosine_proximity", "CosineSimilarity"),
    ("cosine", "CosineSimilarity"),
];

/// The class of that name, in Python's spelling of functions (`mean_squared_error`) or its own;
/// aliases first, in lower case. Itself if there is none.
pub(crate) fn class_of<'a>(
    name: &'a str,
    classes: &[&'static str],
    aliases: &[&[(&str, &'static str)]],
) -> &'a str {
    let lower = name.to_lowercase();
    let alias = aliases.iter().copied().flatten().find(|(alias, _)| *alias == lower);
    let folded = lower.replace('_', "");
    let class = || {
        classes.iter().copied().find(|class| {
            *class == name || snake_case(class) == name || class.to_lowercase() == folded
        })
    };
    alias.map(|(_, class)| *class).or_else(class).unwrap_or(name)
}

/// A class of Keras's from `module` with these arguments, as Keras 3 writes it. What is not Keras's
/// own keeps the name that it was registered under: a function has nothing else.
pub(crate) fn to_config(
    module: &str,
    class: &str,
    is_own: bool,
    config: &Map<String, Value>,
) -> Value {
    if is_own {
        return json!({
            "module": module, "class_name": class, "config": config, "registered_name": null,
        });
    }
    if config.is_empty() || config.contains_key("fn") {
        return function_object(class);
    }
    json!({
        "module": null, "class_name": class.rsplit('>').next(), "config": config,
        "registered_name": class,
    })
}

/// Name and arguments of a serialised object: a name, `{class_name, config}`, or a function
/// `{class_name: "function", config: name}`.
pub(crate) fn object(value: &Value) -> Option<(&str, &Value)> {
    if let Some(name) = value.as_str() {
        return Some((name, &Value::Null));
    }
    let class = value.get("class_name")?.as_str()?;
    // `package>Name` of what its author registered.
    let registered = value.get("registered_name").and_then(Value::as_str);
    let registered = registered.filter(|name| name.contains('>') && !name.starts_with("Custom>"));
    let config = value.get("config").unwrap_or(&Value::Null);
    // `tf.keras` wrote "Custom>Adam" for its own new optimizers.
    let class = class.strip_prefix("Custom>").unwrap_or(class);
    match config.as_str() {
        Some(function) if class == "function" => {
            Some((registered.unwrap_or(function), &Value::Null))
        }
        _ => Some((registered.unwrap_or(class), config)),
    }
}
