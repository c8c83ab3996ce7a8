//! `CustomScaleLayer` of InceptionResNetV2.

use keras_model::layers::custom_scale_layer::CustomScaleLayer;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &CustomScaleLayer,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let [x, residual] = call.tensors()[..] else {
        return Err(b.error("takes a list of two tensors"));
    };
    let residual = b.scale(residual, layer.scale.0)?;
    Ok(vec![b.add(x, residual)?])
}
