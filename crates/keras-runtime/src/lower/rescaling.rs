//! `Rescaling`.

use keras_model::layers::rescaling::{Numbers, Rescaling};
use serde_json::Value as Json;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Rescaling, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    let (scale, offset) = (numbers(b, &layer.scale)?, numbers(b, &layer.offset)?);
    let y = b.mul(x, scale)?;
    Ok(vec![b.add(y, offset)?])
}

/// One number or several as a constant of the layer's compute type.
pub(super) fn numbers(b: &mut Builder<'_>, numbers: &Numbers) -> Result<Value> {
    let compute = b.compute();
    match numbers {
        Numbers::One(number) => b.scalar(number.0, compute),
        Numbers::Many(all) => {
            let all: Vec<f64> = all.iter().map(|n| n.0).collect();
            b.numbers([all.len()], all, compute)
        }
        Numbers::Array(value) => {
            let value = value.get("config").and_then(|c| c.get("value")).unwrap_or(value);
            let value = value.get("value").unwrap_or(value);
            let (shape, all) =
                nested(value).ok_or_else(|| b.error(format!("no numbers: {value}")))?;
            b.numbers(shape, all, compute)
        }
    }
}

/// Nested lists of numbers: their shape and the numbers.
pub(super) fn nested(value: &Json) -> Option<(Vec<usize>, Vec<f64>)> {
    match value {
        Json::Array(items) => {
            let mut shape = Vec::new();
            let mut all = Vec::new();
            for item in items {
                let (inner, numbers) = nested(item)?;
                shape = inner;
                all.extend(numbers);
            }
            shape.insert(0, items.len());
            Some((shape, all))
        }
        Json::Bool(flag) => Some((vec![], vec![f64::from(u8::from(*flag))])),
        Json::String(text) => Some((vec![], vec![text.parse().ok()?])),
        other => Some((vec![], vec![other.as_f64()?])),
    }
}
