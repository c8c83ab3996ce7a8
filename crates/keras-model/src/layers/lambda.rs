//! `Lambda`. Source: `keras/src/layers/core/lambda_layer.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LayerConfig, Mask};
use crate::{Call, Dim, KerasTensor, Result, Shape};

/// A Python function as a layer. Its code is kept as it stands in the file and never run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lambda {
    /// The function: its name, or its code in Python's marshal format.
    #[serde(default)]
    pub function: Value,
    /// What kind of thing `function` is, before Keras 3: `lambda`, `function`, `raw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_type: Option<String>,
    /// Shape of the output without the batch, or a list of these, or a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_shape: Option<Value>,
    /// A mask for the output, or a function that makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Value>,
    /// Further arguments of the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
}

impl LayerConfig for Lambda {
    /// `[batch, output_shape..]` if the file gives a shape; what else comes out only the code knows.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let batch = call.shape()?.dim(0).flatten();
        let shapes = match &self.output_shape {
            Some(Value::Array(items)) => match shape(items) {
                Some(shape) => Some(vec![shape]),
                None => items.iter().map(|item| shape(item.as_array()?)).collect(),
            },
            _ => None,
        };
        let unknown = || crate::Error::NoShape {
            layer: call.base.name.clone(),
            class: call.base.class.clone(),
        };
        let tensor = |dims: Vec<Dim>| {
            let shape = std::iter::once(batch).chain(dims).collect::<Vec<_>>();
            KerasTensor::new(Shape(shape), call.base.dtype.compute)
        };
        Ok(shapes.ok_or_else(unknown)?.into_iter().map(tensor).collect())
    }

    fn mask(&self) -> Mask {
        if self.mask.is_some() { Mask::Creates } else { Mask::Drops }
    }
}

/// A list of lengths and `null`.
fn shape(items: &[Value]) -> Option<Vec<Dim>> {
    let length = |item: &Value| match item {
        Value::Null => Some(None),
        item => item.as_u64().and_then(|n| usize::try_from(n).ok()).map(Some),
    };
    items.iter().map(length).collect()
}
