//! What stands for the classes and functions that only the file's author has: Keras's
//! `custom_objects`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::layers::custom::CustomConfig;
use crate::{Error, Result, activations, layers};

/// What stands for every Python lambda.
pub(crate) const LAMBDA: &str = "<lambda>";

/// The class of a lambda in Keras 3's files: its bytecode.
pub(crate) const LAMBDA_CLASS: &str = "__lambda__";

/// A function as Keras 3 writes it, by the name that it was registered under or its own.
pub(crate) fn function_object(name: &str) -> Value {
    json!({
        "module": "builtins", "class_name": "function", "config": name, "registered_name": "function",
    })
}

/// Whether an object of that class stands for a function of Python.
pub(crate) fn is_function(class: &str) -> bool {
    matches!(class, "function" | LAMBDA_CLASS)
}

/// The name of a `Lambda` layer's function: `<lambda>` where only its code is in the file.
pub(crate) fn lambda_name(layer: &Value) -> &str {
    let function = layer.get("config").and_then(|c| c.get("function"));
    let config = function.and_then(|f| f.get("config")).and_then(Value::as_str);
    let is_named = layer.get("config").and_then(|c| c.get("function_type"));
    let is_named = is_named.and_then(Value::as_str) != Some("lambda");
    let own = function.and_then(Value::as_str).filter(|_| is_named);
    own.or(config).unwrap_or(LAMBDA)
}

thread_local! {
    static SCOPE: RefCell<CustomObjects> = RefCell::default();
}

/// Runs `read` with `objects` at hand for every custom layer in it, at any depth: configs nest
/// layers in layers, and serde hands no context down. Keras's `custom_object_scope`.
pub(crate) fn custom_object_scope<T>(objects: &CustomObjects, read: impl FnOnce() -> T) -> T {
    let outer = SCOPE.replace(objects.clone());
    let result = read();
    SCOPE.set(outer);
    result
}

/// What makes the layer or function that an object of the scope stands for, if it is one.
pub(crate) fn custom_layer(object: &Value) -> Option<Arc<dyn CustomClass>> {
    SCOPE.with_borrow(|scope| match scope.find(object) {
        Some(CustomObject::Layer(layer)) => Some(Arc::clone(layer)),
        _ => None,
    })
}

/// What a name of `custom_objects` stands for.
#[derive(Clone)]
#[non_exhaustive]
pub enum CustomObject {
    /// A class or function of Keras, with arguments that replace those in the file.
    Builtin {
        /// Its name: `ReLU`, `relu`.
        name: String,
        /// Its arguments.
        config: Map<String, Value>,
    },
    /// A layer, or a function of one tensor, of the caller's.
    Layer(Arc<dyn CustomClass>),
    /// An activation, loss, metric, initializer... whose code the caller has.
    Known,
}

/// Makes typed layers from the configs of one custom class, or of one function: that of a `Lambda`
/// layer, or an activation.
pub trait CustomClass: Send + Sync {
    /// The layer with this config: what `from_config` is in Keras. `null` for a function that
    /// stands under its name alone.
    ///
    /// # Errors
    /// [`Error::Config`] if the config is not the class's own.
    fn layer(&self, config: &Value) -> Result<Arc<dyn CustomConfig>>;
}

impl<F> CustomClass for F
where
    F: Fn(&Value) -> Result<Arc<dyn CustomConfig>> + Send + Sync,
{
    fn layer(&self, config: &Value) -> Result<Arc<dyn CustomConfig>> {
        self(config)
    }
}

impl fmt::Debug for CustomObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin { name, config } => write!(f, "{name}({config:?})"),
            Self::Layer(_) => f.write_str("Layer"),
            Self::Known => f.write_str("Known"),
        }
    }
}

/// Names of the file and what they stand for; `"<lambda>"` is the name of every lambda.
///
/// A registered class or function is found under its registered name (`package>Name`) or its own
/// name, a `Lambda` layer also under the layer's.
///
/// ```
/// use keras_model::CustomObjects;
/// let objects = CustomObjects::new().parse("<lambda>=relu(max_value=20)")?;
/// assert!(objects.get("<lambda>").is_some());
/// # Ok::<(), keras_model::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CustomObjects(BTreeMap<String, CustomObject>);

impl CustomObjects {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, object: CustomObject) -> Self {
        self.0.insert(name.into(), object);
        self
    }

    /// With all of those as well.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// With one more layer class.
    #[must_use]
    pub fn layer(self, name: impl Into<String>, layer: impl CustomClass + 'static) -> Self {
        self.with(name, CustomObject::Layer(Arc::new(layer)))
    }

    /// With one more name in the form `NAME=BUILTIN` or `NAME=BUILTIN(argument=value, ...)`.
    ///
    /// # Errors
    /// [`Error::Config`] if the text has another form or Keras has nothing of that name.
    pub fn parse(self, text: &str) -> Result<Self> {
        let wrong = |reason: String| Error::config(format!("custom object {text:?}"), reason);
        let (name, builtin) = text
            .split_once('=')
            .ok_or_else(|| wrong("expected NAME=BUILTIN(argument=value, ...)".into()))?;
        let builtin: Builtin = builtin.trim().parse().map_err(wrong)?;
        let object = CustomObject::Builtin { name: builtin.name, config: builtin.config };
        Ok(self.with(name.trim(), object))
    }

    /// What the name stands for: itself, else what is behind the package that it names.
    pub fn get(&self, name: &str) -> Option<&CustomObject> {
        let own = || self.0.get(name.rsplit_once('>')?.1);
        self.0.get(name).or_else(own)
    }

    /// What an object of a config stands for: by its registered name, then by its class. A
    /// function is found by its own name; a `Lambda` layer by the layer's name, which tells two
    /// lambdas apart, then by that of its function.
    pub(crate) fn find(&self, object: &Value) -> Option<&CustomObject> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let names = match text("class_name") {
            Some("function") => [text("registered_name"), object.get("config")?.as_str()],
            Some("Lambda") => {
                let layer = object.get("config").and_then(|c| c.get("name")).or(object.get("name"));
                [layer.and_then(Value::as_str), Some(lambda_name(object))]
            }
            Some(LAMBDA_CLASS) => [Some(LAMBDA), None],
            Some(class) => [text("registered_name"), Some(class)],
            None => [object.as_str(), None],
        };
        names.into_iter().flatten().find_map(|name| self.get(name))
    }

    /// Puts Keras's own objects in the place of those that stand for them.
    pub(crate) fn replace(&self, value: &mut Value) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Value::Object(map) if map.contains_key("class_name") => {
                let found = self.find(&Value::Object(map.clone())).cloned();
                if let Some(CustomObject::Builtin { name, config }) = found {
                    let made = builtin(&name, config, map.get("config"));
                    // Among the arguments of an operation a name alone is a text.
                    let is_name = made.is_string();
                    *value = if is_name {
                        json!({"class_name": "function", "config": made})
                    } else {
                        made
                    };
                    return;
                }
                map.values_mut().for_each(|v| self.replace(v));
            }
            Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    // A function stands under its name alone.
                    let found = value.as_str().filter(|_| key.ends_with("activation"));
                    match found.and_then(|name| self.get(name)).cloned() {
                        Some(CustomObject::Builtin { name, config }) => {
                            *value = builtin(&name, config, None);
                        }
                        _ => self.replace(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|v| self.replace(v)),
            _ => {}
        }
    }
}

/// The object of Keras with these arguments. A layer keeps its other keys (name, dtype...); a
/// function has none.
fn builtin(name: &str, config: Map<String, Value>, old: Option<&Value>) -> Value {
    let old = old.and_then(Value::as_object);
    if old.is_none() && config.is_empty() && !layers::CLASSES.contains(&name) {
        return name.into();
    }
    let mut merged = old.cloned().unwrap_or_default();
    merged.extend(config);
    let class = if layers::CLASSES.contains(&name) {
        name
    } else if let Some(class) = activation_class(name) {
        class
    } else {
        merged.insert("activation".into(), name.into());
        "Activation"
    };
    json!({"class_name": class, "config": merged})
}

/// The layer that takes a function's arguments: `relu(max_value=6)` is `ReLU(max_value=6)`.
fn activation_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "relu" => "ReLU",
        "leaky_relu" => "LeakyReLU",
        "elu" => "ELU",
        "softmax" => "Softmax",
        _ => return None,
    })
}

/// `name(argument=value, ...)`.
struct Builtin {
    name: String,
    config: Map<String, Value>,
}

impl FromStr for Builtin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => {
                let inner = rest.strip_suffix(')').ok_or("the parenthesis is not closed")?;
                (name.trim(), inner)
            }
            None => (text, ""),
        };
        let known = layers::CLASSES.contains(&name)
            || activations::NAMES.contains(&name)
            || activation_class(name).is_some();
        if !known {
            return Err(format!("Keras has no layer and no activation {name:?}"));
        }
        let mut config = Map::new();
        for argument in arguments.split(',').map(str::trim).filter(|a| !a.is_empty()) {
            let (key, value) =
                argument.split_once('=').ok_or(format!("{argument:?} is not argument=value"))?;
            let value = value.trim();
            let value = match value {
                "True" => Value::Bool(true),
                "False" => Value::Bool(false),
                "None" => Value::Null,
                _ => serde_json::from_str(value)
                    .unwrap_or_else(|_| value.trim_matches('\'').to_owned().into()),
            };
            config.insert(key.trim().to_owned(), value);
        }
        if !config.is_empty()
            && !layers::CLASSES.contains(&name)
            && activation_class(name).is_none()
        {
            return Err(format!("activation {name:?} takes no arguments here"));
        }
        Ok(Self { name: name.to_owned(), config })
    }
}
