//! `GaussianNoise`.

use keras_model::layers::gaussian_noise::GaussianNoise;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

/// `x + stddev · noise` in training.
pub(super) fn lower(
    layer: &GaussianNoise,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    if !b.training() || layer.stddev.0 <= 0.0 {
        return Ok(vec![x]);
    }
    let shape = b.shape(x).to_vec();
    let noise = b.normal(&shape)?;
    let noise = b.scale(noise, layer.stddev.0)?;
    let noise = b.cast(noise, b.dtype(x))?;
    Ok(vec![b.add(x, noise)?])
}
