//! `EinsumDense`.

use keras_model::layers::einsum_dense::EinsumDense;

use super::einsum::einsum;
use super::{Call, activation, dense};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &EinsumDense,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    if call.base.dtype.quantization.is_some() {
        return Err(b.unsupported("quantisation"));
    }
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    let kernel = dense::kernel(b, "kernel", layer.lora)?;
    let mut y = einsum(b, &layer.equation, &[x, kernel])?;
    if b.has_weight("bias") {
        let bias = b.weight("bias")?;
        y = b.add(y, bias)?;
    }
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}
