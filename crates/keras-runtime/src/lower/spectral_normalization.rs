//! `SpectralNormalization`: the kernel is changed while training only.

use keras_model::layers::spectral_normalization::SpectralNormalization;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &SpectralNormalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    if b.training() {
        return Err(b.unsupported("training=True"));
    }
    let dtype = call.inputs.tensors().first().map(|x| b.dtype(**x));
    let outputs = super::layer(&layer.layer, b, &call.inputs)?;
    // Whatever the layer gives comes out in the type of what went in, integers too.
    let cast = |y| dtype.map_or(Ok(y), |dtype| b.cast(y, dtype));
    outputs.into_iter().map(cast).collect()
}
