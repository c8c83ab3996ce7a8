//! What only the file's author has: kept as it stands in the file, with what the caller's
//! `custom_objects` made of it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{LayerConfig, Mask};
use crate::custom_objects::{LAMBDA, LAMBDA_CLASS, custom_layer, function_object};
use crate::variables::Variables;
use crate::{Call, Error, KerasTensor, Layer, Result};

/// The typed config of a custom layer, as [`CustomClass`](crate::CustomClass) makes it. Who
/// computes with it finds its own type again through [`Any`].
pub trait CustomConfig: LayerConfig + Any + Send + Sync {}

impl<T: LayerConfig + Any + Send + Sync> CustomConfig for T {}

/// A layer or function of the file's author. It loads when `custom_objects` maps it; until then it
/// can be looked at, but neither its output nor its variables are known.
#[derive(Clone)]
pub struct Custom {
    /// `package>Name` for registered classes and functions, else the class's or function's name.
    pub registered_name: String,
    /// The Python module of its class, if the file says it.
    pub module: Option<String>,
    /// Its config as in the file; `null` for a function that stands under its name alone.
    pub config: Value,
    /// What the caller's `custom_objects` made of it.
    pub layer: Option<Arc<dyn CustomConfig>>,
}

impl Custom {
    /// A layer, or an object in the place of a function.
    pub(crate) fn new(object: &Value) -> Result<Self> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let name = match text("class_name") {
            Some(LAMBDA_CLASS) => Some(LAMBDA),
            class => text("registered_name").or(class),
        };
        let name = name.unwrap_or_default();
        let config = object.get("config").cloned().unwrap_or_default();
        let layer = custom_layer(object).map(|l| l.layer(&config)).transpose()?;
        // Where older files say nothing, all layers were taken for Keras's.
        let module = text("module").filter(|m| *m != "keras.layers" || name == "Lambda");
        let module = module.map(str::to_owned);
        Ok(Self { registered_name: name.to_owned(), module, config, layer })
    }

    /// A function that stands under its name: `my_activation`.
    pub(crate) fn function(name: &str) -> Result<Self> {
        let layer = custom_layer(&Value::from(name)).map(|l| l.layer(&Value::Null)).transpose()?;
        Ok(Self { registered_name: name.to_owned(), module: None, config: Value::Null, layer })
    }

    /// Its config as it is saved: what the caller's layer says, else as it was read.
    pub(crate) fn to_config(&self) -> Value {
        let own = self.layer.as_ref().and_then(|layer| layer.config());
        own.unwrap_or_else(|| self.config.clone())
    }

    fn known(&self, call: &Call<'_>) -> Result<&dyn CustomConfig> {
        self.layer.as_deref().ok_or_else(|| Error::NoShape {
            layer: call.base.name.clone(),
            class: self.registered_name.clone(),
        })
    }

    /// As it stands in the place of an activation.
    pub(crate) fn as_activation(&self) -> Value {
        match &self.config {
            Value::Null => function_object(&self.registered_name),
            config if self.registered_name == LAMBDA => {
                json!({"class_name": LAMBDA_CLASS, "config": config})
            }
            config => {
                let class = self.registered_name.rsplit('>').next();
                json!({
                    "module": self.module, "class_name": class, "config": config,
                    "registered_name": self.registered_name,
                })
            }
        }
    }
}

impl LayerConfig for Custom {
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        self.known(call)?.output(call)
    }

    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        self.known(call)?.variables(call)
    }

    fn mask(&self) -> Mask {
        self.layer.as_ref().map_or(Mask::Drops, |l| l.mask())
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        self.layer.as_ref().map(|l| l.sublayers()).unwrap_or_default()
    }
}

/// By name and config: what the caller made of them follows.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.registered_name == other.registered_name && self.config == other.config
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom")
            .field("registered_name", &self.registered_name)
            .field("module", &self.module)
            .field("config", &self.config)
            .field("known", &self.layer.is_some())
            .finish()
    }
}

/// The config as in the file.
impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.config.serialize(serializer)
    }
}
