//! `MaxNumBoundingBoxes`.

use keras_model::layers::max_num_bounding_boxes::MaxNumBoundingBoxes;

use super::Call;
use super::image::{self, Part};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::PadMode;

pub(super) fn lower(
    layer: &MaxNumBoundingBoxes,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    image::each(b, call, |b, x, part| match part {
        Part::Boxes => first(layer, b, x),
        Part::Images | Part::Masks | Part::Labels => Ok(x),
    })
}

/// The first boxes or labels of each image, filled up.
fn first(layer: &MaxNumBoundingBoxes, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let found = b.dim(x, 1)?;
    let x = b.slice(x, 1, 0, found.min(layer.max_number))?;
    let mut borders = vec![(0, 0); b.rank(x)];
    if let Some(border) = borders.get_mut(1) {
        *border = (0, layer.max_number.saturating_sub(found));
    }
    b.pad(x, &borders, PadMode::Constant(layer.fill_value as f64))
}
