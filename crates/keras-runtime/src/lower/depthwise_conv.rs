//! `DepthwiseConv1D`, `DepthwiseConv2D`.

use keras_model::layers::depthwise_conv::DepthwiseConv;

use super::{Call, activation, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Depthwise;

pub(super) fn lower<const RANK: usize>(
    layer: &DepthwiseConv<RANK>,
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
    let kernel = b.weight("kernel")?;
    let mut y = b.op(Depthwise::new(window), &[x, kernel])?;
    if layer.use_bias {
        let bias = b.weight("bias")?;
        y = b.add(y, bias)?;
    }
    let y = spatial::restore(b, y, layer.data_format)?;
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}
