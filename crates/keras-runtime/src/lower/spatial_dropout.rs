//! `SpatialDropout1D`, `SpatialDropout2D`, `SpatialDropout3D`: whole channels are dropped.

use keras_model::layers::spatial::DataFormat;
use keras_model::layers::spatial_dropout::SpatialDropout;

use super::{Call, dropout};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower<const RANK: usize>(
    layer: &SpatialDropout<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let last = b.rank(x).saturating_sub(1);
    // One dimension has no `data_format` in Keras.
    let first = RANK > 1 && layer.data_format == DataFormat::ChannelsFirst;
    let channels = if first { 1 } else { last };
    let dims = b.shape(x).iter().enumerate();
    let shape: Vec<usize> =
        dims.map(|(axis, n)| if axis == 0 || axis == channels { *n } else { 1 }).collect();
    Ok(vec![dropout::dropout(b, x, layer.rate.0, &shape)?])
}
