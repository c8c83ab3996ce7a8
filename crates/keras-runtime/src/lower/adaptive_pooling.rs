//! `AdaptiveMaxPooling1D`, `AdaptiveAveragePooling1D`... to three axes.

use keras_model::layers::adaptive_pooling::AdaptivePooling;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{AdaptivePool, PoolKind};

pub(super) fn lower<const RANK: usize>(
    layer: &AdaptivePooling<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
    kind: PoolKind,
) -> Result<Vec<Value>> {
    let mut x = call.input(b)?;
    for (i, size) in layer.output_size.0.into_iter().enumerate() {
        let axis = layer.data_format.spatial_axis() + i;
        x = b.op(AdaptivePool { axis, size, kind }, &[x])?;
    }
    Ok(vec![x])
}
