//! `UpSampling1D`, `UpSampling2D`, `UpSampling3D`.

use keras_model::layers::up_sampling::{Interpolation, UpSampling};

use super::{Call, image};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower<const RANK: usize>(
    layer: &UpSampling<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let mut x = call.input(b)?;
    if layer.interpolation != Interpolation::Nearest {
        let [height, width] = image::axes(b, x, layer.data_format)?;
        let (height, width) = (b.dim(x, height as i64)?, b.dim(x, width as i64)?);
        let &[rows, columns] = layer.size.0.as_slice() else {
            return Err(b.unsupported(format!("interpolation {:?}", layer.interpolation)));
        };
        let to = [height * rows, width * columns];
        let y = image::resize(b, x, layer.data_format, to, layer.interpolation, false)?;
        return Ok(vec![y]);
    }
    for (i, factor) in layer.size.0.into_iter().enumerate() {
        x = repeat(b, x, layer.data_format.spatial_axis() + i, factor)?;
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
        *n *= factor;
    }
    let x = b.broadcast_to(x, wide)?;
    b.reshape(x, shape)
}
