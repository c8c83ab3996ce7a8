//! `ContrastLimitedAdaptiveHistogramEqualization`: it does its work while predicting, too.

use keras_model::DType;
use keras_model::layers::contrast_limited_adaptive_histogram_equalization::ContrastLimitedAdaptiveHistogramEqualization;

use super::{Call, auto_contrast, image, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Clahe;

pub(super) fn lower(
    layer: &ContrastLimitedAdaptiveHistogramEqualization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let range = layer.value_range.0.map(|f| f.0);
    let op = Clahe { limit: layer.clip_limit.0, tiles: layer.tile_grid_size };
    image::each(b, call, |b, x, part| {
        if part != image::Part::Images {
            return Ok(x);
        }
        let [down, across] = op.tiles;
        // A curve of 256 levels for each tile.
        b.check_value("curves", &[down, across, 256], DType::Float64)?;
        let dtype = b.dtype(x);
        let mut y = b.cast(x, DType::Float32)?;
        if b.rank(y) == 3 {
            y = b.expand(y, 0)?;
        }
        y = spatial::channels_last(b, y, layer.data_format)?;
        y = auto_contrast::range(b, y, range, [0.0, 255.0])?;
        y = b.op(op, &[y])?;
        y = auto_contrast::range(b, y, [0.0, 255.0], range)?;
        y = spatial::restore(b, y, layer.data_format)?;
        y = b.cast(y, dtype)?;
        b.reshape(y, b.shape(x).to_vec())
    })
}
