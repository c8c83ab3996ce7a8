//! What layers over spatial axes share.

use keras_model::layers::spatial::{DataFormat, Padding};

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Window;

/// The tensor with its channels last.
pub(super) fn channels_last(b: &mut Builder<'_>, x: Value, format: DataFormat) -> Result<Value> {
    match format {
        DataFormat::ChannelsLast => Ok(x),
        DataFormat::ChannelsFirst => {
            let last = b.rank(x).saturating_sub(1);
            b.move_axis(x, 1, last)
        }
    }
}

/// The way back.
pub(super) fn restore(b: &mut Builder<'_>, x: Value, format: DataFormat) -> Result<Value> {
    match format {
        DataFormat::ChannelsLast => Ok(x),
        DataFormat::ChannelsFirst => {
            let last = b.rank(x).saturating_sub(1);
            b.move_axis(x, last, 1)
        }
    }
}

/// The longest window: sizes below do not overflow when they are added and multiplied.
pub(super) const MOST: usize = 1 << 30;

/// Whether window sizes, strides and dilation rates make sense.
pub(super) fn check(b: &Builder<'_>, sizes: [&[usize]; 3]) -> Result<()> {
    if sizes.iter().any(|s| s.contains(&0)) {
        return Err(b.error("window sizes, strides and dilation rates must not be 0"));
    }
    let [size, _, dilation] = sizes;
    let reaches = size.iter().zip(dilation).map(|(n, d)| n.saturating_mul(*d));
    if sizes.iter().flat_map(|s| s.iter().copied()).chain(reaches).any(|n| n > MOST) {
        return Err(b.error(format!("windows of {size:?}, dilated by {dilation:?}, are too large")));
    }
    Ok(())
}

/// Windows over the spatial axes of `x`, whose channels are last.
pub(super) fn window(
    b: &Builder<'_>,
    x: Value,
    size: &[usize],
    strides: &[usize],
    dilation: &[usize],
    padding: Padding,
) -> Result<Window> {
    let rank = size.len();
    let shape = b.shape(x);
    if shape.len() != rank + 2 {
        return Err(b.error(format!("expected {} axes, found shape {shape:?}", rank + 2)));
    }
    check(b, [size, strides, dilation])?;
    let spatial = shape.iter().skip(1);
    let axes = spatial.zip(size).zip(strides).zip(dilation);
    let borders = axes.map(|(((n, size), stride), dilation)| {
        let reach = (size - 1) * dilation + 1;
        match padding {
            Padding::Valid => (0, 0),
            Padding::Causal => (reach - 1, 0),
            Padding::Full => (reach - 1, reach - 1),
            Padding::Same => {
                let windows = n.div_ceil(*stride);
                let all = (windows.saturating_sub(1) * stride + reach).saturating_sub(*n);
                (all / 2, all - all / 2)
            }
        }
    });
    let borders = borders.collect();
    Ok(Window {
        size: size.to_vec(),
        strides: strides.to_vec(),
        dilation: dilation.to_vec(),
        borders,
    })
}
