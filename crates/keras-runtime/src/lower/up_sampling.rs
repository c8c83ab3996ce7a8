//! `UpSampling1D`, `UpSampling2D`, `UpSampling3D`.

use keras_model::layers::up_sampling::{Interpolation, UpSampling};

use super::{Call, resize};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower<const RANK: usize>(
    layer: &UpSampling<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let mut x = call.input(b)?;
    for (i, factor) in layer.size.0.into_iter().enumerate() {
        let axis = layer.data_format.spatial_axis() + i;
        x = if layer.interpolation == Interpolation::Nearest {
            repeat(b, x, axis, factor)?
        } else {
            let n = b.shape(x).get(axis).copied().unwrap_or(0);
            let to = n.checked_mul(factor).ok_or_else(|| b.error("sizes past what fits"))?;
            resize::axis(b, x, axis, to, layer.interpolation, false)?
        };
    }
    Ok(vec![x])
}

/// Each element along an axis several times.
pub(super) fn repeat(b: &mut Builder<'_>, x: Value, axis: usize, factor: usize) -> Result<Value> {
    let mut shape = b.shape(x).to_vec();
    let x = b.expand(x, axis + 1)?;
    let mut wide = b.shape(x).to_vec();
    if let (Some(dim), Some(n)) = (wide.get_mut(axis + 1), shape.get_mut(axis)) {
        *dim = factor;
        *n = n.saturating_mul(factor);
    }
    // Past what fits this is an error already.
    let x = b.broadcast_to(x, wide)?;
    b.reshape(x, shape)
}
