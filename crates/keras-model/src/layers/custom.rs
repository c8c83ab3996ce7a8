//! A class that this crate does not know: kept as it stands in the file.

use serde::Serialize;
use serde_json::Value;

use super::LayerConfig;
use crate::{Call, KerasTensor, Result};

/// A layer of the file's author. It loads when `custom_objects` maps it; until then it can be
/// looked at, but neither its output nor its variables are known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Custom {
    /// `package>Name` for registered classes, else the class name.
    pub registered_name: String,
    /// Its config as in the file.
    pub config: Value,
}

impl Custom {
    pub(crate) fn new(object: &Value) -> Self {
        let text = |key| object.get(key).and_then(Value::as_str);
        let name = text("registered_name").or_else(|| text("class_name")).unwrap_or_default();
        let config = object.get("config").cloned().unwrap_or_default();
        Self { registered_name: name.to_owned(), config }
    }
}

impl LayerConfig for Custom {
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Err(crate::Error::NoShape {
            layer: call.base.name.clone(),
            class: self.registered_name.clone(),
        })
    }
}
