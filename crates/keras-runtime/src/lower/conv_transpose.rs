//! `Conv1DTranspose`, `Conv2DTranspose`, `Conv3DTranspose`.

use keras_model::layers::conv_transpose::ConvTranspose;
use keras_model::layers::spatial::Padding;

use super::{Call, activation, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{self, Window};

pub(super) fn lower<const RANK: usize>(
    layer: &ConvTranspose<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    let x = spatial::channels_last(b, x, layer.data_format)?;
    let extra = layer.output_padding.as_ref().map(|p| &p.0[..]);
    let op = op(
        b,
        x,
        &layer.kernel_size.0,
        &layer.strides.0,
        &layer.dilation_rate.0,
        layer.padding,
        extra,
    )?;
    let kernel = b.weight("kernel")?;
    let mut y = b.op(op, &[x, kernel])?;
    if layer.use_bias {
        let bias = b.weight("bias")?;
        y = b.add(y, bias)?;
    }
    let y = spatial::restore(b, y, layer.data_format)?;
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}

/// The operation over `x`, whose channels are last; `extra` is what `output_padding` says.
pub(super) fn op(
    b: &Builder<'_>,
    x: Value,
    size: &[usize],
    strides: &[usize],
    dilation: &[usize],
    padding: Padding,
    extra: Option<&[usize]>,
) -> Result<ops::ConvTranspose> {
    let shape = b.shape(x);
    if shape.len() != size.len() + 2 {
        return Err(b.error(format!("expected {} axes, found {shape:?}", size.len() + 2)));
    }
    spatial::check(b, [size, strides, dilation])?;
    if extra.is_some_and(|extra| extra.iter().any(|n| *n > spatial::MOST)) {
        return Err(b.error(format!("output_padding {extra:?} is too large")));
    }
    let mut output = Vec::with_capacity(size.len());
    let mut borders = Vec::with_capacity(size.len());
    let axes = shape.iter().skip(1).zip(size).zip(strides).zip(dilation).enumerate();
    for (i, (((n, size), stride), dilation)) in axes {
        let reach = (size - 1) * dilation + 1;
        let extra = extra.and_then(|e| e.get(i).copied());
        let spread = n.saturating_sub(1) * stride;
        let (length, cut) = match (padding, extra) {
            (Padding::Same, extra) => {
                let (length, all) = match extra {
                    None => (n * stride, stride + reach - 2),
                    Some(extra) => (spread + reach % 2 + extra, reach + reach % 2 + extra - 2),
                };
                let before = all.div_ceil(2).min(reach - 1);
                (length, reach - 1 - before)
            }
            (_, None) => (spread + reach.max(*stride), 0),
            (_, Some(extra)) => (spread + reach + extra, 0),
        };
        output.push(length);
        borders.push((cut, 0));
    }
    let window = Window {
        size: size.to_vec(),
        strides: strides.to_vec(),
        dilation: dilation.to_vec(),
        borders,
    };
    Ok(ops::ConvTranspose::new(window, output))
}
