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
    super::layer(&layer.layer, b, &call.inputs)
}
