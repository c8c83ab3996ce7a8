//! Images: `keras/src/ops/image.py`.

use super::{OpCall, dim, one};
use crate::{Dim, KerasTensor, Result, Shape};

/// Axes of height, width and channels.
fn axes(op: &OpCall<'_>) -> [i64; 3] {
    if op.channels_first() { [-2, -1, -3] } else { [-3, -2, -1] }
}

/// One channel.
pub(in super::super) fn grayscale(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let [.., channels] = axes(op);
    Ok(one(x.shape.with_dim(channels, 1), x.dtype))
}

/// `resize(images, size)`.
pub(in super::super) fn resize(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let size = op.dims("size", 1).ok_or_else(|| op.unknown())?;
    let [height, width] = size.as_slice() else { return Err(op.error("size must be two lengths")) };
    let [h, w, _] = axes(op);
    Ok(one(x.shape.with_dim(h, dim(*height)).with_dim(w, dim(*width)), x.dtype))
}

/// `pad_images`, `crop_images`: by the target, or by what is added or taken at the sides.
pub(in super::super) fn pad_or_crop(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let crops = op.op.operation == "CropImages";
    let kind = if crops { "cropping" } else { "padding" };
    let [h, w, _] = axes(op);
    let length = |axis: i64, target: &str, sides: [&str; 2]| -> Dim {
        if let Some(target) = op.int(target) {
            return dim(target);
        }
        let before = x.shape.dim(axis)??;
        sides.iter().try_fold(before, |length, side| {
            let n = dim(op.int(&format!("{side}_{kind}")).unwrap_or(0))?;
            if crops { length.checked_sub(n) } else { length.checked_add(n) }
        })
    };
    let shape = x.shape.with_dim(h, length(h, "target_height", ["top", "bottom"]));
    Ok(one(shape.with_dim(w, length(w, "target_width", ["left", "right"])), x.dtype))
}

/// `extract_patches(images, size, strides, dilation_rate, padding)`.
pub(in super::super) fn extract_patches(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let two = |name: &str| match op.ints(name)?.as_slice() {
        [one] => Some([dim(*one)?, dim(*one)?]),
        [a, b] => Some([dim(*a)?, dim(*b)?]),
        _ => None,
    };
    let size = two("size").ok_or_else(|| op.unknown())?;
    let strides = two("strides").unwrap_or(size);
    let dilation = two("dilation_rate").unwrap_or([1, 1]);
    let same = op.text("padding") == Some("same");
    let [h, w, c] = axes(op);
    let mut shape = x.shape.clone();
    for (axis, ((size, stride), dilation)) in
        [h, w].into_iter().zip(size.iter().zip(strides).zip(dilation))
    {
        let reach = size.saturating_sub(1).saturating_mul(dilation);
        let room =
            x.shape.dim(axis).flatten().map(|n| if same { n } else { n.saturating_sub(reach) });
        shape = shape.with_dim(axis, room.map(|n| n.div_ceil(stride.max(1))));
    }
    let patch = size.iter().try_fold(1_usize, |n, s| n.checked_mul(*s));
    let channels = x.shape.dim(c).flatten().zip(patch).and_then(|(n, p)| n.checked_mul(p));
    Ok(one(shape.with_dim(c, channels), x.dtype))
}

/// `map_coordinates(inputs, coordinates)`: the places asked for.
pub(in super::super) fn map_coordinates(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(op.tensor(1)?.shape.without(0), op.x()?.dtype))
}

/// `sobel_edges(images)`: two gradients for each channel.
pub(in super::super) fn sobel_edges(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let mut dims = x.shape.0.clone();
    dims.push(Some(2));
    Ok(one(Shape(dims), x.dtype))
}

/// `ssim(image1, image2)`: one number for each image.
pub(in super::super) fn ssim(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let outer = x.shape.0.iter().copied().take(x.shape.rank().saturating_sub(3));
    Ok(one(Shape(outer.collect()), x.dtype))
}

/// `depth_to_space(x, block_size)`.
pub(in super::super) fn depth_to_space(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let block = block(op)?;
    let [h, w, c] = axes(op);
    let times = |axis| x.shape.dim(axis).flatten().and_then(|n| n.checked_mul(block));
    let channels = x.shape.dim(c).flatten().zip(block.checked_mul(block));
    let channels = channels.and_then(|(n, b)| n.checked_div(b));
    let shape = x.shape.with_dim(h, times(h)).with_dim(w, times(w));
    Ok(one(shape.with_dim(c, channels), x.dtype))
}

/// `space_to_depth(x, block_size)`.
pub(in super::super) fn space_to_depth(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let block = block(op)?;
    let [h, w, c] = axes(op);
    let part = |axis| x.shape.dim(axis).flatten().and_then(|n| n.checked_div(block));
    let channels = x.shape.dim(c).flatten().zip(block.checked_mul(block));
    let channels = channels.and_then(|(n, b)| n.checked_mul(b));
    let shape = x.shape.with_dim(h, part(h)).with_dim(w, part(w));
    Ok(one(shape.with_dim(c, channels), x.dtype))
}

fn block(op: &OpCall<'_>) -> Result<usize> {
    let block = op.dims("block_size", 1).and_then(|b| dim(*b.first()?)).filter(|b| *b > 0);
    block.ok_or_else(|| op.error("block_size must be positive"))
}
