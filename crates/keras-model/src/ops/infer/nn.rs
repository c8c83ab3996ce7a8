//! Convolutions, pooling, losses: `keras/src/ops/nn.py`.

use super::{OpCall, dim, one};
use crate::{DType, Dim, KerasTensor, Result, Shape};

/// The spatial axes of `[batch, ...]` with channels first or last.
fn spatial(op: &OpCall<'_>, shape: &Shape) -> (std::ops::Range<usize>, usize) {
    let rank = shape.rank();
    if op.channels_first() {
        (2..rank, 1)
    } else {
        (1..rank.saturating_sub(1), rank.saturating_sub(1))
    }
}

/// One number for each spatial axis.
fn per_axis(op: &OpCall<'_>, name: &str, count: usize, default: &[i64]) -> Result<Vec<usize>> {
    let given = op.dims(name, super::CONFIG).unwrap_or_else(|| default.to_vec());
    // TensorFlow may name all axes.
    let spatial = if op.channels_first() { given.get(2..) } else { given.get(1..=count) };
    let given = match (given.as_slice(), spatial) {
        ([one], _) => vec![*one; count],
        (all, Some(spatial)) if all.len() == count + 2 => spatial.to_vec(),
        _ => given,
    };
    let numbers: Option<Vec<usize>> =
        given.into_iter().map(|n| dim(n).filter(|n| *n > 0)).collect();
    numbers
        .filter(|n| n.len() == count)
        .ok_or_else(|| op.error(format!("{name} must be {count} positive numbers")))
}

fn length(n: Dim, size: usize, stride: usize, dilation: usize, same: bool) -> Dim {
    let reach = size.saturating_sub(1).saturating_mul(dilation);
    let room = if same { n? } else { n?.checked_sub(reach)? };
    Some(room.div_ceil(stride))
}

fn windows(
    op: &OpCall<'_>,
    sizes: &[usize],
    strides: &[usize],
    dilations: &[usize],
) -> Result<Shape> {
    let x = op.x()?;
    let same = op.text("padding").is_some_and(|p| p.eq_ignore_ascii_case("same"));
    let (axes, _) = spatial(op, &x.shape);
    let mut dims = x.shape.0.clone();
    let numbers = sizes.iter().zip(strides).zip(dilations);
    for (dim, ((size, stride), dilation)) in dims.iter_mut().skip(axes.start).zip(numbers) {
        *dim = length(*dim, *size, *stride, *dilation, same);
    }
    Ok(Shape(dims))
}

/// `max_pool`, `average_pool`.
pub(in super::super) fn pool(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let count = spatial(op, &x.shape).0.len();
    let sizes = per_axis(op, "pool_size", count, &[])?;
    let default: Vec<i64> = sizes.iter().map(|n| i64::try_from(*n).unwrap_or(0)).collect();
    let strides = per_axis(op, "strides", count, &default)?;
    Ok(one(windows(op, &sizes, &strides, &vec![1; count])?, x.dtype))
}

/// `adaptive_max_pool`, `adaptive_average_pool`.
pub(in super::super) fn adaptive_pool(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let (axes, _) = spatial(op, &x.shape);
    let sizes = per_axis(op, "output_size", axes.len(), &[])?;
    let mut dims = x.shape.0.clone();
    for (dim, size) in dims.iter_mut().skip(axes.start).zip(sizes) {
        *dim = Some(size);
    }
    Ok(one(Shape(dims), x.dtype))
}

/// `conv`, `depthwise_conv`, `separable_conv`: the last kernel gives the channels.
pub(in super::super) fn conv(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (x, kernel) = (op.x()?, op.tensor(1)?);
    let (axes, channels) = spatial(op, &x.shape);
    let count = axes.len();
    let sizes = kernel.shape.0.iter().take(count).copied().collect::<Option<Vec<usize>>>();
    let sizes = sizes.ok_or_else(|| op.unknown())?;
    let strides = per_axis(op, "strides", count, &[1])?;
    let dilations = per_axis(op, "dilation_rate", count, &[1])?;
    let mut shape = windows(op, &sizes, &strides, &dilations)?;
    let last = |t: &KerasTensor| t.shape.dim(-1).flatten();
    let out = match op.op.operation.as_str() {
        "DepthwiseConv" => {
            kernel.shape.dim(-2).flatten().zip(last(kernel)).and_then(|(a, b)| a.checked_mul(b))
        }
        "SeparableConv" => last(op.tensor(2)?),
        _ => last(kernel),
    };
    if let Some(dim) = shape.0.get_mut(channels) {
        *dim = out;
    }
    Ok(one(shape, x.dtype))
}

/// `conv_transpose`.
pub(in super::super) fn conv_transpose(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (x, kernel) = (op.x()?, op.tensor(1)?);
    let (axes, channels) = spatial(op, &x.shape);
    let count = axes.len();
    let strides = per_axis(op, "strides", count, &[1])?;
    let dilations = per_axis(op, "dilation_rate", count, &[1])?;
    let same = op.text("padding").is_some_and(|p| p.eq_ignore_ascii_case("same"));
    if op.value("output_padding").is_some() {
        return Err(op.unknown());
    }
    let mut dims = x.shape.0.clone();
    let numbers = kernel.shape.0.iter().zip(strides).zip(dilations);
    for (dim, ((size, stride), dilation)) in dims.iter_mut().skip(axes.start).zip(numbers) {
        let reach = size.map(|s| s.saturating_sub(1).saturating_mul(dilation).saturating_add(1));
        *dim = match (*dim, reach) {
            (Some(n), _) if same => n.checked_mul(stride),
            (Some(n), Some(reach)) => {
                n.checked_mul(stride).and_then(|n| n.checked_add(reach.saturating_sub(stride)))
            }
            _ => None,
        };
    }
    if let Some(dim) = dims.get_mut(channels) {
        *dim = kernel.shape.dim(-2).flatten();
    }
    Ok(one(Shape(dims), x.dtype))
}

/// `glu(x, axis)`: half of the axis.
pub(in super::super) fn glu(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let axis = op.int("axis").unwrap_or(-1);
    let half = x.shape.dim(axis).flatten().map(|n| n / 2);
    Ok(one(x.shape.with_dim(axis, half), x.dtype))
}

/// `categorical_crossentropy(target, output, axis)` and its sparse form: without the axis.
pub(in super::super) fn crossentropy(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let output = op.tensor(1)?;
    Ok(one(output.shape.without(op.int("axis").unwrap_or(-1)), output.dtype))
}

/// `ctc_loss(...)`: one number for each sample.
pub(in super::super) fn per_sample(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let batch = op.x()?.shape.dim(0).flatten();
    Ok(one(Shape(vec![batch]), DType::Float32))
}

/// `dot_product_attention(query, key, value)`: the query's shape, the value's width.
pub(in super::super) fn attention(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (query, value) = (op.x()?, op.tensor(2)?);
    Ok(one(query.shape.with_last(value.shape.dim(-1).flatten()), query.dtype))
}

/// `unfold(x, kernel_size, dilation, padding, stride)` of `[batch, channels, height, width]`.
pub(in super::super) fn unfold(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let [batch, channels, height, width] = x.shape.0.as_slice() else {
        return Err(op.error("expected four axes"));
    };
    let sizes = per_axis(op, "kernel_size", 2, &[])?;
    let strides = per_axis(op, "stride", 2, &[1])?;
    let dilations = per_axis(op, "dilation", 2, &[1])?;
    let padding = op.ints("padding").unwrap_or_else(|| vec![0]);
    let mut places: Dim = Some(1);
    for (axis, n) in [height, width].into_iter().enumerate() {
        let pad = padding.get(axis).or(padding.first()).copied().and_then(dim).unwrap_or(0);
        let padded = n.and_then(|n| n.checked_add(pad.checked_mul(2)?));
        let get = |list: &[usize]| list.get(axis).copied().unwrap_or(1);
        let count = length(padded, get(&sizes), get(&strides), get(&dilations), false);
        places = places.zip(count).and_then(|(a, b)| a.checked_mul(b));
    }
    let patch = sizes.iter().try_fold(1_usize, |n, s| n.checked_mul(*s));
    let width = channels.zip(patch).and_then(|(c, p)| c.checked_mul(p));
    Ok(one(Shape(vec![*batch, width, places]), x.dtype))
}

/// `fold(x, output_size, kernel_size)`: the image back from its patches.
pub(in super::super) fn fold(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let size = per_axis(op, "output_size", 2, &[])?;
    let kernel = per_axis(op, "kernel_size", 2, &[])?;
    let patch = kernel.iter().try_fold(1_usize, |n, s| n.checked_mul(*s));
    let channels = x.shape.dim(1).flatten().zip(patch).and_then(|(n, p)| n.checked_div(p));
    let mut dims = vec![x.shape.dim(0).flatten(), channels];
    dims.extend(size.into_iter().map(Some));
    Ok(one(Shape(dims), x.dtype))
}
