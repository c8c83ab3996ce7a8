//! What the layers that prepare images share: another number of rows and columns.

use keras_model::layers::spatial::DataFormat;
use keras_model::layers::up_sampling::Interpolation;
use keras_model::{Arg, DType};

use super::einsum::einsum;
use super::{Call, spatial};
use crate::Result;
use crate::graph::{Builder, Value};

/// Changes images and masks of one tensor, or of a dict with images, labels and masks.
pub(super) fn each(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    mut change: impl FnMut(&mut Builder<'_>, Value, bool) -> Result<Value>,
) -> Result<Vec<Value>> {
    let Some(Arg::Dict(entries)) = call.inputs.args.first() else {
        let x = call.input(b)?;
        return Ok(vec![change(b, x, false)?]);
    };
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = Vec::new();
    for (key, value) in entries {
        let mut tensors = Vec::new();
        value.tensors(&mut tensors);
        for tensor in tensors {
            out.push(match key.as_str() {
                "images" => change(b, *tensor, false)?,
                "segmentation_masks" => change(b, *tensor, true)?,
                "bounding_boxes" => return Err(b.unsupported("boxes of images")),
                _ => *tensor,
            });
        }
    }
    Ok(out)
}

/// The axes of rows and columns.
pub(super) fn axes(b: &Builder<'_>, x: Value, format: DataFormat) -> Result<[usize; 2]> {
    match format {
        DataFormat::ChannelsLast => Ok([b.axis(x, -3)?, b.axis(x, -2)?]),
        DataFormat::ChannelsFirst => Ok([b.axis(x, -2)?, b.axis(x, -1)?]),
    }
}

/// Rows and columns of the largest piece with the proportions of `to`.
pub(super) fn piece([rows, columns]: [usize; 2], [height, width]: [usize; 2]) -> [usize; 2] {
    let part = |a: usize, b: usize, c: usize| (((a * b) as f32) / c.max(1) as f32) as usize;
    let most_rows = part(columns, height, width);
    let most_columns = part(rows, width, height);
    [rows.min(most_rows).max(1), columns.min(most_columns).max(1)]
}

/// The middle of an image.
pub(super) fn middle(
    b: &mut Builder<'_>,
    mut x: Value,
    axes: [usize; 2],
    to: [usize; 2],
) -> Result<Value> {
    for (axis, n) in axes.into_iter().zip(to) {
        let all = b.dim(x, axis as i64)?;
        let start = all.saturating_sub(n) / 2;
        x = b.slice(x, axis, start, start + n)?;
    }
    Ok(x)
}

/// An image of another size, as `tf.image.resize` makes it.
pub(super) fn resize(
    b: &mut Builder<'_>,
    x: Value,
    format: DataFormat,
    to: [usize; 2],
    how: Interpolation,
    antialias: bool,
) -> Result<Value> {
    let axes = axes(b, x, format)?;
    let from = [b.dim(x, axes[0] as i64)?, b.dim(x, axes[1] as i64)?];
    if from == to {
        return Ok(x);
    }
    if from.contains(&0) {
        return Err(b.error("the image is empty"));
    }
    let mut x = x;
    if how == Interpolation::Nearest {
        for ((axis, from), to) in axes.into_iter().zip(from).zip(to) {
            let scale = from as f32 / to as f32;
            let place = |i: usize| (((i as f32 + 0.5) * scale).floor() as usize).min(from - 1);
            let places = b.indices((0..to).map(place))?;
            x = b.gather(x, places, axis)?;
        }
        return Ok(x);
    }
    let dtype = b.dtype(x);
    x = b.cast(x, DType::Float32)?;
    let single = b.rank(x) == 3;
    if single {
        x = b.expand(x, 0)?;
    }
    x = spatial::channels_last(b, x, format)?;
    for (axis, equation) in ["oi,bixc->boxc", "oi,bxic->bxoc"].into_iter().enumerate() {
        let (Some(from), Some(to)) = (from.get(axis), to.get(axis)) else { continue };
        let weights = weights(how, antialias, *from, *to);
        let weights = b.numbers([*to, *from], weights, DType::Float32)?;
        x = einsum(b, equation, &[weights, x])?;
    }
    x = spatial::restore(b, x, format)?;
    if single {
        let shape = b.shape(x).iter().skip(1).copied().collect::<Vec<_>>();
        x = b.reshape(x, shape)?;
    }
    b.cast(x, dtype)
}

/// For each of `to` pixels how much each of `from` pixels counts.
fn weights(how: Interpolation, antialias: bool, from: usize, to: usize) -> Vec<f64> {
    let scale = from as f32 / to as f32;
    let mut all = Vec::with_capacity(from * to);
    for i in 0..to {
        let mut row = vec![0.0; from];
        let mut add = |at: i64, weight: f64| {
            let at = at.clamp(0, from as i64 - 1) as usize;
            if let Some(sum) = row.get_mut(at) {
                *sum += weight;
            }
        };
        let centre = (i as f32 + 0.5) * scale;
        match how {
            Interpolation::Bilinear if !antialias => {
                let at = centre - 0.5;
                let share = f64::from(at - at.floor());
                add(at.floor() as i64, 1.0 - share);
                add(at.ceil() as i64, share);
            }
            Interpolation::Bicubic if !antialias => {
                let at = centre - 0.5;
                // TensorFlow looks the curve up in a table of this many places.
                let share = f64::from(((at - at.floor()) * 1024.0).round_ties_even()) / 1024.0;
                let first = at.floor() as i64 - 1;
                let taps = [1.0 + share, share, 1.0 - share, 2.0 - share].map(keys);
                let inside = |n: i64| (0..from as i64).contains(&(first + n));
                let taps = (0..).zip(taps).filter(|(n, _)| inside(*n));
                let sum: f64 = taps.clone().map(|(_, w)| w).sum();
                taps.for_each(|(n, w)| add(first + n, w / sum));
            }
            Interpolation::Area => {
                let (start, end) = (i as f32 * scale, (i + 1) as f32 * scale);
                for at in start.floor() as i64..end.ceil() as i64 {
                    let overlap = end.min((at + 1) as f32) - start.max(at as f32);
                    add(at, f64::from(overlap) / f64::from(scale));
                }
            }
            _ => {
                let stretch = if antialias { scale.max(1.0) } else { 1.0 };
                let (radius, curve) = kernel(how);
                let reach = radius * stretch;
                let first = (centre - reach - 0.5).ceil().max(0.0) as usize;
                let last = (centre + reach - 0.5).floor().max(0.0) as usize;
                let taps: Vec<(usize, f64)> = (first..=last.min(from - 1))
                    .map(|j| (j, curve(f64::from((j as f32 + 0.5 - centre) / stretch))))
                    .collect();
                let sum: f64 = taps.iter().map(|(_, w)| w).sum();
                taps.iter().for_each(|(j, w)| add(*j as i64, w / sum));
            }
        }
        all.append(&mut row);
    }
    all
}

/// Radius and curve of a filter.
fn kernel(how: Interpolation) -> (f32, fn(f64) -> f64) {
    match how {
        Interpolation::Lanczos3 => (3.0, |x| lanczos(x, 3.0)),
        Interpolation::Lanczos5 => (5.0, |x| lanczos(x, 5.0)),
        Interpolation::Gaussian => {
            (1.5, |x| if x.abs() < 1.5 { (-2.0 * x * x).exp() } else { 0.0 })
        }
        Interpolation::Mitchellcubic => (2.0, mitchell),
        Interpolation::Bicubic => (2.0, keys),
        _ => (1.0, |x| (1.0 - x.abs()).max(0.0)),
    }
}

fn lanczos(x: f64, radius: f64) -> f64 {
    let x = x.abs();
    if x > radius {
        return 0.0;
    }
    if x <= 1e-3 {
        return 1.0;
    }
    let angle = std::f64::consts::PI * x;
    radius * angle.sin() * (angle / radius).sin() / (angle * angle)
}

/// Keys' cubic curve with `a = -0.5`.
fn keys(x: f64) -> f64 {
    let x = x.abs();
    if x >= 2.0 {
        0.0
    } else if x >= 1.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        (1.5 * x - 2.5) * x * x + 1.0
    }
}

fn mitchell(x: f64) -> f64 {
    let x = x.abs();
    if x >= 2.0 {
        0.0
    } else if x >= 1.0 {
        ((-7.0 / 18.0 * x + 2.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0
    } else {
        (7.0 / 6.0 * x - 2.0) * x * x + 8.0 / 9.0
    }
}

#[test]
fn weights_sum_to_one() {
    let all = [
        Interpolation::Bilinear,
        Interpolation::Bicubic,
        Interpolation::Area,
        Interpolation::Lanczos5,
        Interpolation::Gaussian,
        Interpolation::Mitchellcubic,
    ];
    for how in all {
        for (from, to) in [(7, 3), (3, 7)] {
            for row in weights(how, false, from, to).chunks(from) {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{how:?} {row:?}");
            }
        }
    }
}
