//! Operations of neural networks and images.

use keras_model::layers::spatial::Padding;
use keras_model::layers::up_sampling::Interpolation;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::einsum::einsum;
use crate::lower::operation::{OpCall, to_float};
use crate::lower::{
    activation, conv_transpose, image, multi_head_attention, resize, rms_normalization, softmax,
    spatial, up_sampling,
};
use crate::ops::{
    AdaptivePool, Arithmetic, Conv, Depthwise, Function, PadMode, Pool, PoolKind, Scatter,
    Scattering,
};

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
        "AdaptiveMaxPool" | "AdaptiveAveragePool" => {
            let rank = b.rank(x).saturating_sub(2);
            let size =
                sizes(c, "output_size", 1, rank).ok_or_else(|| b.error("has no output_size"))?;
            let kind = if name == "AdaptiveMaxPool" { PoolKind::Max } else { PoolKind::Average };
            let mut y = x;
            for (i, size) in size.into_iter().enumerate() {
                let axis = i + if is_first(c) { 2 } else { 1 };
                y = b.op(AdaptivePool { axis, size, kind }, &[y])?;
            }
            y
        }
        "Conv" | "DepthwiseConv" | "SeparableConv" | "ConvTranspose" => convolve(c, name, b, x)?,
        "DotProductAttention" => attention(c, b)?,
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
            let (mean, variance) = b.moments(x, &axes)?;
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
            match c.float("order", 2).unwrap_or(2.0) {
                2.0 => crate::lower::unit_normalization::unit(b, x, &axes, epsilon * epsilon)?,
                order => {
                    let length = super::decompose::lengths(b, x, order, &axes)?;
                    let length = b.with_number(Arithmetic::Max, length, epsilon)?;
                    b.div(x, length)?
                }
            }
        }
        "Unfold" => unfold(c, b, x)?,
        "Fold" => fold(c, b, x)?,
        "Resize" => resized(c, b, x)?,
        "ExtractPatches" => patches(c, b, x)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

/// One number for each spatial axis.
pub(super) fn sizes(
    c: &OpCall<'_>,
    name: &str,
    position: usize,
    rank: usize,
) -> Option<Vec<usize>> {
    let all: Option<Vec<usize>> =
        c.ints(name, position)?.iter().map(|n| usize::try_from(*n).ok()).collect();
    let all = all?;
    // TensorFlow may name all axes.
    let spatial = if is_first(c) { all.get(2..) } else { all.get(1..=rank) };
    match spatial.filter(|_| all.len() == rank + 2).unwrap_or(&all) {
        [one] => Some(vec![*one; rank]),
        all => (all.len() == rank).then(|| all.to_vec()),
    }
}

pub(super) fn padding(c: &OpCall<'_>, position: usize) -> Padding {
    match c.text("padding", position).map(str::to_lowercase).as_deref() {
        Some("same") => Padding::Same,
        _ => Padding::Valid,
    }
}

pub(super) fn is_first(c: &OpCall<'_>) -> bool {
    matches!(c.text("data_format", usize::MAX), Some("channels_first"))
}

/// TensorFlow's padding may be the borders of each axis.
fn bordered(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    x: Value,
    position: usize,
) -> Result<(Value, Padding)> {
    let Some(keras_model::Arg::List(_)) = c.call.inputs.named("padding", position) else {
        return Ok((x, padding(c, position)));
    };
    let borders = c.known_ints(b, "padding", position)?.unwrap_or_default();
    let border = |n: i64| usize::try_from(n).unwrap_or(0);
    let pairs = borders.as_chunks().0.iter().map(|[a, b]| (border(*a), border(*b)));
    let mut pairs: Vec<(usize, usize)> = pairs.collect();
    if is_first(c) && pairs.len() > 1 {
        let channels = pairs.remove(1);
        pairs.push(channels);
    }
    Ok((b.pad(x, &pairs, PadMode::Constant(0.0))?, Padding::Valid))
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
    let (x, padding) = bordered(c, b, x, at + 1)?;
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
    let mut size = sizes(c, "size", 1, 2).ok_or_else(|| b.error("has no size"))?;
    let name = c.text("interpolation", 2).or_else(|| c.text("method", 2)).unwrap_or("bilinear");
    let how = resize::interpolation(name);
    let how = how.ok_or_else(|| b.unsupported(format!("interpolation {name:?}")))?;
    let antialias = c.flag("antialias", 3);
    let first = b.rank(x).saturating_sub(if is_first(c) { 2 } else { 3 });
    let dtype = b.dtype(x);
    let mut y = x;
    if c.flag("preserve_aspect_ratio", usize::MAX) {
        let from: Vec<usize> = b.shape(x).iter().skip(first).copied().take(2).collect();
        let shares = size.iter().zip(&from).map(|(to, n)| *to as f64 / (*n).max(1) as f64);
        let share = shares.fold(f64::INFINITY, f64::min);
        size = from.iter().map(|n| (*n as f64 * share).round_ties_even() as usize).collect();
    }
    if c.flag("legacy", usize::MAX) && !c.flag("half_pixel_centers", usize::MAX) {
        if !matches!(how, Interpolation::Nearest | Interpolation::Bilinear) {
            return Err(b.unsupported(format!("interpolation {name:?} of TensorFlow 1")));
        }
        let is_nearest = how == Interpolation::Nearest;
        for (i, to) in size.into_iter().enumerate() {
            y = resize::corners(b, y, first + i, to, is_nearest, c.flag("aligned", usize::MAX))?;
        }
        return Ok(y);
    }
    let to = [0, 1].map(|i| size.get(i).copied().unwrap_or(1));
    if c.flag("crop_to_aspect_ratio", 4) {
        let axes = [first, first + 1];
        let from = axes.map(|axis| b.shape(x).get(axis).copied().unwrap_or(1));
        y = image::middle(b, y, axes, image::piece(from, to))?;
    } else if c.flag("pad_to_aspect_ratio", 5) {
        let fill = c.float("fill_value", 7).unwrap_or(0.0);
        y = image::filled(b, y, [first, first + 1], to, fill)?;
    }
    for (i, to) in size.into_iter().enumerate() {
        y = resize::axis(b, y, first + i, to, how, antialias)?;
    }
    if b.is_keras3() && !dtype.is_float() { b.cast(y, dtype) } else { Ok(y) }
}

/// The windows of images, each as one long pixel: a convolution that picks its inputs.
fn patches(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let given = c.ints("size", 1).map_or(2, |size| size.len());
    let rank = if given == 3 { 3 } else { 2 };
    let single = b.rank(x) == rank + 1;
    let x = if single { b.expand(x, 0)? } else { x };
    let x = if is_first(c) { b.move_axis(x, 1, rank + 1)? } else { x };
    let size = sizes(c, "size", 1, rank).ok_or_else(|| b.error("has no size"))?;
    let strides = sizes(c, "strides", 2, rank).unwrap_or_else(|| size.clone());
    let dilation = sizes(c, "dilation_rate", 3, rank).unwrap_or_else(|| vec![1; rank]);
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
    let y = if is_first(c) { b.move_axis(y, rank + 1, 1)? } else { y };
    if single { b.at(y, 0, 0) } else { Ok(y) }
}

/// Attention over axis 1 of queries, keys and values `[batch, length, heads, size]`.
fn attention(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let tensors = c.call.tensors();
    let &[query, mut key, mut value, ..] = tensors.as_slice() else {
        return Err(b.error("takes query, key and value"));
    };
    // Heads of keys and values that several queries share.
    let groups = b.dim(query, 2)?.checked_div(b.dim(key, 2)?).unwrap_or(1);
    if groups > 1 {
        key = up_sampling::repeat(b, key, 2, groups)?;
        value = up_sampling::repeat(b, value, 2, groups)?;
    }
    let scale = c.float("scale", 5).unwrap_or(1.0 / (b.dim(query, -1)? as f64).sqrt());
    let mut mask = c.call.argument("mask", 4);
    if c.flag("is_causal", 6) {
        let (queries, keys) = (b.dim(query, 1)?, b.dim(key, 1)?);
        let causal = crate::lower::attention::causal(b, queries, keys)?;
        mask = Some(crate::lower::attention::and(b, mask, causal)?);
    }
    let Some(bias) = c.call.argument("bias", 3) else {
        let qkv = [query, key, value];
        return Ok(multi_head_attention::attend(b, qkv, mask, &[1], scale, true, 0.0)?.0);
    };
    let scores = einsum(b, "btnh,bsnh->bnts", &[query, key])?;
    let scores = b.scale(scores, scale)?;
    let mut scores = b.add(scores, bias)?;
    if let Some(mask) = mask {
        scores = softmax::masked(b, scores, mask)?;
    }
    let last = b.axis(scores, -1)?;
    let shares = b.softmax(scores, last, false)?;
    einsum(b, "bnts,bsnh->btnh", &[shares, value])
}

/// What `unfold` and `fold` say of a window.
struct Patches {
    kernel: [usize; 2],
    dilation: [usize; 2],
    padding: [usize; 2],
    stride: [usize; 2],
}

impl Patches {
    fn of(c: &OpCall<'_>, b: &Builder<'_>) -> Result<Self> {
        let two = |name: &str, default: usize| {
            let all = sizes(c, name, usize::MAX, 2).unwrap_or_else(|| vec![default; 2]);
            [0, 1].map(|i| all.get(i).copied().unwrap_or(default))
        };
        let found = Self {
            kernel: two("kernel_size", 0),
            dilation: two("dilation", 1),
            padding: two("padding", 0),
            stride: two("stride", 1),
        };
        let is_wrong = found.kernel.contains(&0) || found.stride.contains(&0);
        if is_wrong { Err(b.error("has no kernel_size or no stride")) } else { Ok(found) }
    }

    /// Along one axis of `n`, padding included, the place of each element of each window:
    /// `[kernel, windows]`.
    fn places(&self, axis: usize, n: usize) -> Vec<Vec<usize>> {
        let [kernel, dilation, stride] = [self.kernel, self.dilation, self.stride]
            .map(|all| all.get(axis).copied().unwrap_or(1));
        let reach = dilation.saturating_mul(kernel - 1).saturating_add(1);
        let windows = n.checked_sub(reach).map_or(0, |room| room / stride + 1);
        (0..kernel).map(|k| (0..windows).map(|w| w * stride + k * dilation).collect()).collect()
    }

    /// The place of each element of each window in a flat image of `[rows, columns]`, and the
    /// number of windows.
    fn flat(&self, b: &Builder<'_>, rows: usize, columns: usize) -> Result<(Vec<usize>, usize)> {
        let [kernel_rows, kernel_columns] = self.kernel;
        let most = [rows, columns, kernel_rows, kernel_columns];
        b.check_value("windows", &most, keras_model::DType::Int64)?;
        let (down, across) = (self.places(0, rows), self.places(1, columns));
        let mut all = Vec::new();
        for rows in &down {
            for places in &across {
                all.extend(rows.iter().flat_map(|r| places.iter().map(move |p| r * columns + p)));
            }
        }
        let windows = down.first().map_or(0, Vec::len) * across.first().map_or(0, Vec::len);
        Ok((all, windows))
    }
}

/// Windows of images `[batch, channels, height, width]` as columns.
fn unfold(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let patches = Patches::of(c, b)?;
    let [down, across] = patches.padding;
    let borders = [(0, 0), (0, 0), (down, down), (across, across)];
    let x = b.pad(x, &borders, PadMode::Constant(0.0))?;
    let &[batch, channels, height, width] = b.shape(x) else {
        return Err(b.error("takes images with channels first"));
    };
    let (places, windows) = patches.flat(b, height, width)?;
    let places = b.indices(places)?;
    let flat = b.reshape(x, [batch, channels, height * width])?;
    let parts = b.gather(flat, places, 2)?;
    b.reshape(parts, [batch, channels * patches.kernel.iter().product::<usize>(), windows])
}

/// The image whose windows are given as columns; where they meet, their sum.
fn fold(c: &OpCall<'_>, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let patches = Patches::of(c, b)?;
    let size =
        sizes(c, "output_size", usize::MAX, 2).ok_or_else(|| b.error("has no output_size"))?;
    let [down, across] = patches.padding;
    let (&[rows, columns], &[batch, width, windows]) = (size.as_slice(), b.shape(x)) else {
        return Err(b.error("takes columns of windows"));
    };
    let wide = |n: usize, border: usize| n.saturating_add(border.saturating_mul(2));
    let (height, length) = (wide(rows, down), wide(columns, across));
    let (places, count) = patches.flat(b, height, length)?;
    let each = patches.kernel.iter().product::<usize>();
    if count != windows || width % each != 0 {
        return Err(b.error(format!("{windows} windows of {width} do not fit {size:?}")));
    }
    let images = batch * (width / each);
    let parts = b.reshape(x, [images, each * windows])?;
    let parts = b.transpose(parts, vec![1, 0])?;
    let places = b.indices(places)?;
    let zero = b.full([height * length, images], 0.0, b.dtype(x))?;
    let op = Scatter { how: Scattering::Add, negative_skips: false };
    let sum = b.op(op, &[zero, places, parts])?;
    let sum = b.transpose(sum, vec![1, 0])?;
    let sum = b.reshape(sum, [batch, width / each, height, length])?;
    let sum = b.slice(sum, 2, down, down + rows)?;
    b.slice(sum, 3, across, across + columns)
}
