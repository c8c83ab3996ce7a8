//! `ELU`.

use keras_model::layers::elu::ELU;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(layer: &ELU, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    Ok(vec![b.unary(Function::Elu(layer.alpha.0), x)?])
}
