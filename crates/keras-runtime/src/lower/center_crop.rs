//! `CenterCrop`.

use keras_model::layers::center_crop::CenterCrop;
use keras_model::layers::up_sampling::Interpolation;

use super::{Call, image};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &CenterCrop,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let to = [layer.height, layer.width];
    image::each(b, call, |b, x, part| {
        if !part.has_pixels(b)? {
            return Ok(x);
        }
        let x = b.cast(x, b.compute())?;
        let axes = image::axes(b, x, layer.data_format)?;
        let from = [b.dim(x, axes[0] as i64)?, b.dim(x, axes[1] as i64)?];
        if from.iter().zip(&to).all(|(from, to)| from >= to) {
            return image::middle(b, x, axes, to);
        }
        // A smaller image is resized: the largest piece with the right proportions.
        let x = image::middle(b, x, axes, image::piece(from, to))?;
        image::resize(b, x, layer.data_format, to, Interpolation::Bilinear, false)
    })
}
