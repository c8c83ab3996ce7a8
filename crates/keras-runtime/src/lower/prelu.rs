//! `PReLU`.

use keras_model::layers::prelu::PReLU;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

pub(super) fn lower(_: &PReLU, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    let alpha = b.weight("alpha")?;
    let positive = b.unary(Function::RELU, x)?;
    let zero = b.scalar(0.0, b.dtype(x))?;
    let negative = b.binary(Arithmetic::Min, x, zero)?;
    let negative = b.mul(negative, alpha)?;
    Ok(vec![b.add(positive, negative)?])
}
