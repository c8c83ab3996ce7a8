//! `ParametricSoftplus`.

use keras_model::layers::parametric_softplus::ParametricSoftplus;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(
    _: &ParametricSoftplus,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let (alpha, beta) = (b.weight("alpha")?, b.weight("beta")?);
    let x = b.mul(beta, x)?;
    let x = b.unary(Function::Softplus, x)?;
    Ok(vec![b.mul(alpha, x)?])
}
