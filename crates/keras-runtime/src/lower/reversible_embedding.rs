//! `ReversibleEmbedding`.

use keras_model::layers::reversible_embedding::ReversibleEmbedding;

use super::{Call, embedding};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(
    layer: &ReversibleEmbedding,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    if !call.flag("reverse", 1) {
        return embedding::lower(&layer.embedding, b, call);
    }
    if call.base.dtype.quantization.is_some() {
        return Err(b.unsupported("quantisation"));
    }
    let x = call.input(b)?;
    let reverse = layer.reverse.reverse_dtype.as_ref().and_then(serde_json::Value::as_str);
    let compute = reverse.and_then(keras_model::DType::from_name).unwrap_or(b.compute());
    let x = b.cast(x, compute)?;
    let mut y = if layer.reverse.tie_weights {
        let table = b.stored_weight("embeddings")?;
        let table = b.cast(table, compute)?;
        b.matmul_transposed(x, table)?
    } else {
        let table = b.stored_weight("reverse_embeddings")?;
        let table = b.cast(table, compute)?;
        b.matmul(x, table)?
    };
    if let Some(cap) = layer.reverse.logit_soft_cap {
        y = b.scale(y, 1.0 / cap.0)?;
        y = b.unary(Function::Tanh, y)?;
        y = b.scale(y, cap.0)?;
    }
    Ok(vec![y])
}
