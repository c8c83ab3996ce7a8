//! `ReLU`.

use keras_model::layers::re_lu::ReLU;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(layer: &ReLU, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let function = Function::Relu {
        max: layer.max_value.map_or(f64::INFINITY, |m| m.0),
        slope: layer.negative_slope.0,
        threshold: layer.threshold.0,
    };
    let x = b.cast(x, b.compute())?;
    Ok(vec![b.unary(function, x)?])
}
