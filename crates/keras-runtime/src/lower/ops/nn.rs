//! Operations of neural networks and images.

use keras_model::layers::spatial::Padding;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, to_float};
use crate::lower::{
    activation, conv_transpose, multi_head_attention, resize, rms_normalization, softmax, spatial,
};
use crate::ops::{Arithmetic, Conv, Depthwise, Function, Pool, PoolKind};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let Some(x) = c.call.tensors().first().copied() else { return Ok(None) };
    let y = match name {
        "Softmax" | "LogSoftmax" => {
            let x = to_float(b, x)?;
            let axes = match c.plain("axis", 1) {
                None => (0..b.rank(x)).collect(),
                Some(_) => c.axes(b, x, 1)?,
            };
            if name == "Softmax" {
                softmax::over(b, x, &axes)?
            } else {
                let log = activation::logsumexp(b, x, &axes, true)?;
                b.sub(x, log)?
            }
        }
        "Glu" => {
            let axis = c.axis(b, x, 1, -1)?;
            activation::glu(b, x, axis)?
        }
        "Sparsemax" => {
            let axis = c.axis(b, x, 1, -1)?;
            activation::sparsemax(b, x, axis)?
        }
        "MaxPool" | "AveragePool" => pool(c, name, b, x)?,
        "Conv" | "DepthwiseConv" | "SeparableConv" | "ConvTranspose" => convolve(c, name, b, x)?,
        "DotProductAttention" => {
            let tensors = c.call.tensors();
            let &[query, key, value, ..] = tensors.as_slice() else {
                return Err(b.error("takes query, key and value"));
            };
            let size = b.dim(query, -1)?;
            let scale = c.float("scale", 5).unwrap_or(1.0 / (size as f64).sqrt());
            let mut mask = c.call.argument("mask", 4);
            if c.flag("is_causal", 6) {
                let (queries, keys) = (b.dim(query, 1)?, b.dim(key, 1)?);
                let causal = crate::lower::attention::causal(b, queries, keys)?;
                mask = Some(crate::lower::attention::and(b, mask, causal)?);
            }
            let qkv = [query, key, value];
            multi_head_attention::attend(b, qkv, mask, &[1], scale, true, 0.0)?.0
        }
        "RMSNorm" => {
            let axes = match c.plain("axis", 2) {
                Some(_) => c.axes(b, x, 2)?,
                None => vec![b.axis(x, -1)?],
            };
            let scale = c.operand(b, &["scale"], 1, Some(b.dtype(x)))?;
            let epsilon = c.float("epsilon", 3).unwrap_or(1e-7);
            let dtype = b.dtype(x);
            let y = rms_normalization::normalize(b, x, scale, &axes, epsilon)?;
            b.cast(y, dtype)?
        }
        "LayerNorm" => {
            let axes = match c.plain("axis", 3) {
                Some(_) => c.axes(b, x, 3)?,
                None => vec![b.axis(x, -1)?],
            };
            let mean = b.mean(x, &axes, true)?;
            let variance = b.variance(x, &axes, true)?;
            let epsilon = c.float("epsilon", 4).unwrap_or(1e-7);
            let scale = b.with_number(Arithmetic::Add, variance, epsilon)?;
            let scale = b.unary(Function::Rsqrt, scale)?;
            let centred = b.sub(x, mean)?;
            let mut y = b.mul(centred, scale)?;
            if let Some(gamma) = c.operand(b, &["gamma"], 1, Some(b.dtype(x)))? {
                y = b.mul(y, gamma)?;
            }
            if let Some(beta) = c.operand(b, &["beta"], 2, Some(b.dtype(x)))? {
                y = b.add(y, beta)?;
            }
            y
        }
        "Normalize" => {
            let x = to_float(b, x)?;
            let axes = match c.plain("axis", 1) {
                Some(_) => c.axes(b, x, 1)?,
                None => vec![b.axis(x, -1)?],
            };
            let epsilon = c.float("epsilon", 3).unwrap_or(1e-7);
            if c.float("order", 2).unwrap_or(2.0) != 2.0 {
                return Err(b.unsupported("this order"));
            }
            crate::lower::unit_normalization::unit(b, x, &axes, epsilon * epsilon)?
        }
        "RGBToGrayscale" => {
            let first = c.text("data_format", 1) == Some("channels_first");
            let axis = if first { b.rank(x).saturating_sub(3) } else { b.axis(x, -1)? };
            let mut shape = vec![1; b.rank(x)];
            if let Some(dim) = shape.get_mut(axis) {
                *dim = 3;
            }
            let weights = b.numbers(shape, vec![0.2989, 0.587, 0.114], b.dtype(x))?;
            let weighted = b.mul(x, weights)?;
            b.sum(weighted, &[axis], true)?
        }
        "Resize" => resized(c, b, x)?,
        "ExtractPatches" => patches(c, b, x)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// One number for each spatial axis.
fn sizes(c: &OpCall<'_>, name: &str, position: usize, rank: usize) -> Option<Vec<usize>> {
    let all: Option<Vec<usize>> =
        c.ints(name, position)?.iter().map(|n| usize::try_from(*n).ok()).collect();
    match all?.as_slice() {
        [one] => Some(vec![*one; rank]),
        all => (all.len() == rank).then(|| all.to_vec()),
    }
}

fn padding(c: &OpCall<'_>, position: usize) -> Padding {
    match c.text("padding", position).map(str::to_lowercase).as_deref() {
        Some("same") => Padding::Same,
        _ => Padding::Valid,
    }
}

fn is_first(c: &OpCall<'_>) -> bool {
    matches!(c.text("data_format", usize::MAX), Some("channels_first"))
}

fn pool(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let rank = b.rank(x).saturating_sub(2);
    let last = b.rank(x).saturating_sub(1);
    let x = if is_first(c) { b.move_axis(x, 1, last)? } else { x };
    let size = sizes(c, "pool_size", 1, rank).ok_or_else(|| b.error("has no pool_size"))?;
    let strides = sizes(c, "strides", 2, rank).unwrap_or_else(|| size.clone());
    let window = spatial::window(b, x, &size, &strides, &vec![1; rank], padding(c, 3))?;
    let kind = if name == "MaxPool" { PoolKind::Max } else { PoolKind::Average };
    let y = b.op(Pool { window, kind }, &[x])?;
    if is_first(c) { b.move_axis(y, last, 1) } else { Ok(y) }
}

fn convolve(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let rank = b.rank(x).saturating_sub(2);
    let last = b.rank(x).saturating_sub(1);
    let x = if is_first(c) { b.move_axis(x, 1, last)? } else { x };
    let kernel = c.operand(b, &["kernel", "depthwise_kernel"], 1, None)?;
    let kernel = kernel.ok_or_else(|| b.error("has no kernel"))?;
    let size = b.shape(kernel).get(..rank).unwrap_or_default().to_vec();
    let dilation = sizes(c, "dilation_rate", usize::MAX, rank).unwrap_or_else(|| vec![1; rank]);
    let at = if name == "SeparableConv" { 3 } else { 2 };
    let strides = sizes(c, "strides", at, rank).unwrap_or_else(|| vec![1; rank]);
    let padding = padding(c, at + 1);
    let y = if name == "ConvTranspose" {
        let extra = sizes(c, "output_padding", usize::MAX, rank);
        let op = conv_transpose::op(b, x, &size, &strides, &dilation, padding, extra.as_deref())?;
        b.op(op, &[x, kernel])?
    } else {
        let window = spatial::window(b, x, &size, &strides, &dilation, padding)?;
        if name == "Conv" {
            let (channels, depth) = (b.dim(x, -1)?, b.dim(kernel, -2)?);
            let groups = channels.checked_div(depth).unwrap_or(1).max(1);
            b.op(Conv::new(window, groups), &[x, kernel])?
        } else {
            b.op(Depthwise::new(window), &[x, kernel])?
        }
    };
    let y = if name == "SeparableConv" {
        let kernel = c.operand(b, &["pointwise_kernel"], 2, None)?;
        let kernel = kernel.ok_or_else(|| b.error("has no pointwise kernel"))?;
        let one = vec![1; rank];
        let window = spatial::window(b, y, &one, &one, &one, Padding::Valid)?;
        b.op(Conv::new(window, 1), &[y, kernel])?
    } else {
        y
    };
    if is_first(c) { b.move_axis(y, last, 1) } else { Ok(y) }
}

fn resized(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    if c.flag("crop_to_aspect_ratio", 4) || c.flag("pad_to_aspect_ratio", 5) {
        return Err(b.unsupported("keeping the aspect ratio"));
    }
    let size = sizes(c, "size", 1, 2).ok_or_else(|| b.error("has no size"))?;
    let name = c.text("interpolation", 2).or_else(|| c.text("method", 2)).unwrap_or("bilinear");
    let how = resize::interpolation(name);
    let how = how.ok_or_else(|| b.unsupported(format!("interpolation {name:?}")))?;
    let antialias = c.flag("antialias", 3);
    let first = b.rank(x).saturating_sub(if is_first(c) { 2 } else { 3 });
    let dtype = b.dtype(x);
    let mut y = x;
    for (i, to) in size.into_iter().enumerate() {
        y = resize::axis(b, y, first + i, to, how, antialias)?;
    }
    if b.is_keras3() && !dtype.is_float() { b.cast(y, dtype) } else { Ok(y) }
}

/// The windows of images, each as one long pixel: a convolution that picks its inputs.
fn patches(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let single = b.rank(x) == 3;
    let x = if single { b.expand(x, 0)? } else { x };
    let x = if is_first(c) { b.move_axis(x, 1, 3)? } else { x };
    let size = sizes(c, "size", 1, 2).ok_or_else(|| b.error("has no size"))?;
    let strides = sizes(c, "strides", 2, 2).unwrap_or_else(|| size.clone());
    let dilation = sizes(c, "dilation_rate", 3, 2).unwrap_or_else(|| vec![1, 1]);
    let window = spatial::window(b, x, &size, &strides, &dilation, padding(c, 4))?;
    let channels = b.dim(x, -1)?;
    let shape = [&size[..], &[channels]].concat();
    b.check_value("patch", &shape, keras_model::DType::Float64)?;
    let all = crate::ops::size(&shape);
    let kernel = b.table([&shape[..], &[all]].concat(), b.dtype(x), || {
        let mut kernel = vec![0.0; all * all];
        kernel.iter_mut().step_by(all + 1).for_each(|k| *k = 1.0);
        kernel
    })?;
    let y = b.op(Conv::new(window, 1), &[x, kernel])?;
    let y = if is_first(c) { b.move_axis(y, 3, 1)? } else { y };
    if single { b.at(y, 0, 0) } else { Ok(y) }
}
