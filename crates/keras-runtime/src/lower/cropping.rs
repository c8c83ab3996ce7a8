//! `Cropping1D`, `Cropping2D`, `Cropping3D`.

use keras_model::layers::cropping::Cropping;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower<const RANK: usize>(
    layer: &Cropping<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let mut x = call.input(b)?;
    for (i, (before, after)) in layer.cropping.0.into_iter().enumerate() {
        let axis = layer.data_format.spatial_axis() + i;
        let n = b.shape(x).get(axis).copied().unwrap_or(0);
        let end = n.checked_sub(after).filter(|end| *end > before);
        let end = end.ok_or_else(|| b.error(format!("cropping leaves nothing of {n}")))?;
        x = b.slice(x, axis, before, end)?;
    }
    Ok(vec![x])
}
