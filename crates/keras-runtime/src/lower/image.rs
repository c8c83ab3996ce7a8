//! What the layers that prepare images share: another number of rows and columns.

use keras_model::Arg;
use keras_model::layers::spatial::DataFormat;
use keras_model::layers::up_sampling::Interpolation;

use super::{Call, resize};
use crate::Result;
use crate::graph::{Builder, Value};

/// What a tensor is to the layers that prepare images.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Images,
    /// A class for each pixel.
    Masks,
    /// Boxes in the images, and the class of each.
    Boxes,
    /// What each image shows.
    Labels,
}

impl Part {
    /// Whether it has pixels. Boxes would have to move with them, which Keras cannot do in a graph
    /// of layers.
    pub(super) fn has_pixels(self, b: &Builder<'_>) -> Result<bool> {
        match self {
            Self::Images | Self::Masks => Ok(true),
            Self::Labels => Ok(false),
            Self::Boxes => Err(b.unsupported("boxes of images")),
        }
    }
}

/// Changes one tensor of images, or the parts of a dict.
pub(super) fn each(
    b: &mut Builder<'_>,
    call: &Call<'_>,
    mut change: impl FnMut(&mut Builder<'_>, Value, Part) -> Result<Value>,
) -> Result<Vec<Value>> {
    let Some(Arg::Dict(entries)) = call.inputs.args.first() else {
        let x = call.input(b)?;
        return Ok(vec![change(b, x, Part::Images)?]);
    };
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = Vec::new();
    for (key, value) in entries {
        let mut tensors = Vec::new();
        value.tensors(&mut tensors);
        for tensor in tensors {
            out.push(match key.as_str() {
                "images" => change(b, *tensor, Part::Images)?,
                "segmentation_masks" => change(b, *tensor, Part::Masks)?,
                "bounding_boxes" => change(b, *tensor, Part::Boxes)?,
                "labels" => change(b, *tensor, Part::Labels)?,
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
    let part =
        |a: usize, b: usize, c: usize| ((a.saturating_mul(b) as f32) / c.max(1) as f32) as usize;
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
    let dtype = b.dtype(x);
    let mut x = x;
    for (axis, to) in axes.into_iter().zip(to) {
        x = resize::axis(b, x, axis, to, how, antialias)?;
    }
    b.cast(x, dtype)
}

/// The image with borders, so that its proportions are those of `to`.
pub(super) fn filled(
    b: &mut Builder<'_>,
    mut x: Value,
    axes: [usize; 2],
    to: [usize; 2],
    value: f64,
) -> Result<Value> {
    let from = axes.map(|axis| b.shape(x).get(axis).copied().unwrap_or(1));
    let part = |a: usize, b: usize, c: usize| ((a * b) as f32 / c.max(1) as f32) as usize;
    let wanted = [part(from[1], to[0], to[1]), part(from[0], to[1], to[0])];
    for ((axis, from), wanted) in axes.into_iter().zip(from).zip(wanted) {
        let border = wanted.saturating_sub(from) / 2;
        if border > 0 {
            let mut shape = b.shape(x).to_vec();
            if let Some(n) = shape.get_mut(axis) {
                *n = border;
            }
            let border = b.full(shape, value, b.dtype(x))?;
            x = b.concat(&[border, x, border], axis)?;
        }
    }
    Ok(x)
}
