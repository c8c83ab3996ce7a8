//! `RandomFourierFeatures`.

use keras_model::layers::random_fourier_features::RandomFourierFeatures;

use super::{Call, dense};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(
    _: &RandomFourierFeatures,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let (kernel, scale) = (b.weight("unscaled_kernel")?, b.weight("kernel_scale")?);
    let kernel = b.div(kernel, scale)?;
    let y = dense::product(b, x, kernel)?;
    let bias = b.weight("bias")?;
    let y = b.add(y, bias)?;
    Ok(vec![b.unary(Function::Cos, y)?])
}
