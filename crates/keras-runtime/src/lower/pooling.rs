//! `MaxPooling1D`, `AveragePooling1D`... to three axes.

use keras_model::layers::pooling::Pooling;

use super::{Call, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Pool, PoolKind};

pub(super) fn lower<const RANK: usize>(
    layer: &Pooling<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
    kind: PoolKind,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = spatial::channels_last(b, x, layer.data_format)?;
    let strides = layer.strides.as_ref().unwrap_or(&layer.pool_size);
    let window = spatial::window(b, x, &layer.pool_size.0, &strides.0, &[1; RANK], layer.padding)?;
    let y = b.op(Pool { window, kind }, &[x])?;
    Ok(vec![spatial::restore(b, y, layer.data_format)?])
}
