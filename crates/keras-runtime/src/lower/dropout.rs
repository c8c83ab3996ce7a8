//! `Dropout`, and what drops in other layers.

use keras_model::DType;
use keras_model::layers::dropout::Dropout;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Relation;

pub(super) fn lower(layer: &Dropout, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let shape = noise_shape(b, x, layer.noise_shape.as_deref())?;
    Ok(vec![dropout(b, x, layer.rate.0, &shape)?])
}

/// The shape of the noise: an axis of length 1 has one number for all.
pub(super) fn noise_shape(
    b: &Builder<'_>,
    x: Value,
    given: Option<&[keras_model::Dim]>,
) -> Result<Vec<usize>> {
    let own = b.shape(x);
    let Some(given) = given else { return Ok(own.to_vec()) };
    let shape: Vec<usize> = given.iter().zip(own).map(|(n, own)| n.unwrap_or(*own)).collect();
    let broadcasts = shape.iter().zip(own).all(|(n, own)| n == own || *n == 1);
    if given.len() == own.len() && broadcasts {
        return Ok(shape);
    }
    Err(b.error(format!("noise_shape {given:?} does not fit the input's shape {own:?}")))
}

/// `x` where a random number is at least the rate, scaled so that the mean stays; 0 elsewhere. In
/// training only.
pub(super) fn dropout(
    b: &mut Builder<'_>,
    x: Value,
    rate: f64,
    noise_shape: &[usize],
) -> Result<Value> {
    if !b.training() || rate <= 0.0 {
        return Ok(x);
    }
    let kept = kept(b, noise_shape, rate)?;
    // At a rate of 1 nothing is left to scale.
    let scaled = if rate < 1.0 { b.scale(x, 1.0 / (1.0 - rate))? } else { x };
    let zero = b.scalar(0.0, b.dtype(x))?;
    b.select(kept, scaled, zero)
}

/// Whether each element is kept.
pub(super) fn kept(b: &mut Builder<'_>, shape: &[usize], rate: f64) -> Result<Value> {
    let noise = b.uniform(shape)?;
    b.compare_number(Relation::GreaterEqual, noise, rate)
}

/// What dropout multiplies ones with: one factor for all steps of a sequence.
pub(super) fn factors(
    b: &mut Builder<'_>,
    shape: &[usize],
    rate: f64,
    dtype: DType,
) -> Result<Value> {
    let kept = kept(b, shape, rate)?;
    let kept = b.cast(kept, dtype)?;
    b.scale(kept, 1.0 / (1.0 - rate))
}
