//! `GaussianDropout`.

use keras_model::layers::gaussian_dropout::GaussianDropout;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

/// `x · (1 + sqrt(rate / (1 - rate)) · noise)` in training.
pub(super) fn lower(
    layer: &GaussianDropout,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let rate = layer.rate.0;
    if !b.training() || rate <= 0.0 {
        return Ok(vec![x]);
    }
    let shape = b.shape(x).to_vec();
    let noise = b.normal(&shape)?;
    let noise = b.scale(noise, (rate / (1.0 - rate)).sqrt())?;
    let noise = b.with_number(Arithmetic::Add, noise, 1.0)?;
    let noise = b.cast(noise, b.dtype(x))?;
    Ok(vec![b.mul(x, noise)?])
}
