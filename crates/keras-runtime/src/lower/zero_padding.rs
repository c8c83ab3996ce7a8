//! `ZeroPadding1D`, `ZeroPadding2D`, `ZeroPadding3D`.

use keras_model::layers::zero_padding::ZeroPadding;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::PadMode;

pub(super) fn lower<const RANK: usize>(
    layer: &ZeroPadding<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let mut borders = vec![(0, 0); b.rank(x)];
    let spatial = borders.iter_mut().skip(layer.data_format.spatial_axis());
    spatial.zip(layer.padding.0).for_each(|(to, from)| *to = from);
    Ok(vec![b.pad(x, &borders, PadMode::Constant(0.0))?])
}
