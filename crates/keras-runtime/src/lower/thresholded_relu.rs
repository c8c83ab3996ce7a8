//! `ThresholdedReLU`.

use keras_model::layers::thresholded_relu::ThresholdedReLU;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(
    layer: &ThresholdedReLU,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    Ok(vec![b.unary(Function::Threshold(layer.theta.0, 0.0), x)?])
}
