//! A class that this crate does not know: kept as it stands in the file.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{LayerConfig, Mask};
use crate::custom_objects::custom_layer;
use crate::variables::Variables;
use crate::{Call, Error, KerasTensor, Layer, Result};

/// A layer of the file's author. It loads when `custom_objects` maps it; until then it can be
/// looked at, but neither its output nor its variables are known.
#[derive(Clone)]
pub struct Custom {
    /// `package>Name` for registered classes, else the class name.
    pub registered_name: String,
    /// Its config as in the file.
    pub config: Value,
    /// What the caller's `custom_objects` made of it.
    pub layer: Option<Arc<dyn LayerConfig + Send + Sync>>,
}

impl Custom {
    pub(crate) fn new(object: &Value) -> Result<Self> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let name = text("registered_name").or_else(|| text("class_name")).unwrap_or_default();
        let config = object.get("config").cloned().unwrap_or_default();
        let layer = custom_layer(object).map(|l| l.layer(&config)).transpose()?;
        Ok(Self { registered_name: name.to_owned(), config, layer })
    }

    fn known(&self, call: &Call<'_>) -> Result<&(dyn LayerConfig + Send + Sync)> {
        self.layer.as_deref().ok_or_else(|| Error::NoShape {
            layer: call.base.name.clone(),
            class: self.registered_name.clone(),
        })
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
