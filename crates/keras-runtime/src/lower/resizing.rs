//! `Resizing`.

use keras_model::layers::resizing::Resizing;
use keras_model::layers::up_sampling::Interpolation;

use super::{Call, image};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Resizing, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    image::each(b, call, |b, x, part| {
        if !part.has_pixels(b)? {
            return Ok(x);
        }
        let how =
            if part == image::Part::Masks { Interpolation::Nearest } else { layer.interpolation };
        one(layer, b, x, how)
    })
}

fn one(layer: &Resizing, b: &mut Builder<'_>, x: Value, how: Interpolation) -> Result<Value> {
    let to = [layer.height, layer.width];
    let axes = image::axes(b, x, layer.data_format)?;
    let from = [b.dim(x, axes[0] as i64)?, b.dim(x, axes[1] as i64)?];
    let mut x = b.cast(x, b.compute())?;
    if layer.crop_to_aspect_ratio {
        x = image::middle(b, x, axes, image::piece(from, to))?;
    } else if layer.pad_to_aspect_ratio {
        x = image::filled(b, x, axes, to, layer.fill_value.0)?;
    }
    image::resize(b, x, layer.data_format, to, how, layer.antialias)
}
