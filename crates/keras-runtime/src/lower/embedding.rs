//! `Embedding`.

use keras_model::DType;
use keras_model::layers::embedding::Embedding;

use super::{Call, dense};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Relation;

pub(super) fn lower(layer: &Embedding, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    if call.base.dtype.quantization.is_some() {
        return Err(b.unsupported("quantisation"));
    }
    let x = call.input(b)?;
    let table = dense::kernel(b, "embeddings", layer.lora)?;
    let numbers = b.cast(x, DType::Int64)?;
    let y = b.gather(table, numbers, 0)?;
    if layer.mask_zero {
        let mask = b.compare_number(Relation::NotEqual, numbers, 0.0)?;
        b.set_mask(y, Some(mask));
    }
    Ok(vec![y])
}
