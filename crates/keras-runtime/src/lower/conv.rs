//! `Conv1D`, `Conv2D`, `Conv3D`.

use keras_model::layers::conv::Conv;

use super::{Call, activation, dense, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops;

pub(super) fn lower<const RANK: usize>(
    layer: &Conv<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    let x = spatial::channels_last(b, x, layer.data_format)?;
    let window = spatial::window(
        b,
        x,
        &layer.kernel_size.0,
        &layer.strides.0,
        &layer.dilation_rate.0,
        layer.padding,
    )?;
    let kernel = dense::kernel(b, "kernel", layer.lora)?;
    let mut y = b.op(ops::Conv::new(window, layer.groups), &[x, kernel])?;
    if layer.use_bias {
        let bias = b.weight("bias")?;
        y = b.add(y, bias)?;
    }
    let y = spatial::restore(b, y, layer.data_format)?;
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}
