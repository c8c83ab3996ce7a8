//! `GlobalMaxPooling1D`, `GlobalAveragePooling1D`... to three axes.

use keras_model::DType;
use keras_model::layers::global_pooling::GlobalPooling;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{PoolKind, Reduction};

pub(super) fn lower<const RANK: usize>(
    layer: &GlobalPooling<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
    kind: PoolKind,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let first = layer.data_format.spatial_axis();
    let axes: Vec<usize> = (first..first + RANK).collect();
    // Only `GlobalAveragePooling1D` takes masked steps out.
    let mask = call.mask(b).filter(|_| RANK == 1 && kind == PoolKind::Average);
    if let (Some(mask), [axis]) = (mask, axes.as_slice()) {
        let mask = b.cast(mask, b.dtype(x))?;
        let mask = b.expand(mask, if *axis == 1 { 2 } else { 1 })?;
        let kept = b.mul(x, mask)?;
        let sum = b.sum(kept, &axes, layer.keepdims)?;
        let count = b.sum(mask, &axes, layer.keepdims)?;
        return Ok(vec![b.div(sum, count)?]);
    }
    let reduction = if kind == PoolKind::Max { Reduction::Max } else { Reduction::Mean };
    let x = if b.dtype(x) == DType::Bool { b.cast(x, b.compute())? } else { x };
    Ok(vec![b.reduce(reduction, x, &axes, layer.keepdims)?])
}
