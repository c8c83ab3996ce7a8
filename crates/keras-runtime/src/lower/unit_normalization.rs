//! `UnitNormalization`.

use keras_model::layers::unit_normalization::UnitNormalization;

use super::{Call, axes};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

pub(super) fn lower(
    layer: &UnitNormalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let axes = axes::of(b, x, &layer.axis)?;
    Ok(vec![unit(b, x, &axes, 1e-12)?])
}

/// `x` with length 1 along the axes; `epsilon` is the least square of a length.
pub(crate) fn unit(b: &mut Builder<'_>, x: Value, axes: &[usize], epsilon: f64) -> Result<Value> {
    let square = b.unary(Function::Square, x)?;
    let sum = b.sum(square, axes, true)?;
    let sum = b.with_number(Arithmetic::Max, sum, epsilon)?;
    let scale = b.unary(Function::Rsqrt, sum)?;
    b.mul(x, scale)
}
