//! `AlphaDropout`.

use keras_model::layers::alpha_dropout::AlphaDropout;

use super::{Call, dropout};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

/// What `selu` tends to far below 0: `-alpha · scale`.
const DROPPED: f64 = -1.673_263_242_354_377_2 * 1.050_700_987_355_480_5;

/// Dropped elements become [`DROPPED`]; all are then scaled and shifted, so that mean and variance
/// of a `selu` network stay. In training only.
pub(super) fn lower(
    layer: &AlphaDropout,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let rate = layer.rate.0;
    if !b.training() || rate <= 0.0 {
        return Ok(vec![x]);
    }
    let shape = dropout::noise_shape(b, x, layer.noise_shape.as_deref())?;
    let kept = dropout::kept(b, &shape, rate)?;
    let dropped = b.scalar(DROPPED, b.dtype(x))?;
    let y = b.select(kept, x, dropped)?;
    let scale = ((1.0 - rate) * (1.0 + rate * DROPPED * DROPPED)).powf(-0.5);
    let y = b.scale(y, scale)?;
    Ok(vec![b.with_number(Arithmetic::Add, y, -scale * DROPPED * rate)?])
}
