//! `LeakyReLU`.

use keras_model::layers::leaky_re_lu::LeakyReLU;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(layer: &LeakyReLU, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    Ok(vec![b.unary(Function::LeakyRelu(layer.negative_slope.0), x)?])
}
