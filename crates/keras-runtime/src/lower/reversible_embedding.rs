//! `ReversibleEmbedding`.

use keras_model::layers::reversible_embedding::ReversibleEmbedding;
use keras_model::{DType, Quantization};

use super::quantized::{self, Rounding};
use super::{Call, dense, embedding};
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
    let x = call.input(b)?;
    if let Some(mode) =
        call.base.dtype.quantization.as_ref().filter(|m| !matches!(m, Quantization::Float8 { .. }))
    {
        let y = quantized_scores(layer, b, x, mode)?;
        return Ok(vec![capped(layer, b, y)?]);
    }
    let reverse = layer.reverse.reverse_dtype.as_ref().and_then(serde_json::Value::as_str);
    let compute = reverse.and_then(keras_model::DType::from_name).unwrap_or(b.compute());
    let x = b.cast(x, compute)?;
    let y = if layer.reverse.tie_weights {
        let table = b.stored_weight("embeddings")?;
        let table = b.cast(table, compute)?;
        b.matmul_transposed(x, table)?
    } else {
        let table = b.stored_weight("reverse_embeddings")?;
        let table = b.cast(table, compute)?;
        b.matmul(x, table)?
    };
    Ok(vec![capped(layer, b, y)?])
}

/// The scores, kept small if the layer says so.
fn capped(layer: &ReversibleEmbedding, b: &mut Builder<'_>, y: Value) -> Result<Value> {
    let Some(cap) = layer.reverse.logit_soft_cap else { return Ok(y) };
    let y = b.scale(y, 1.0 / cap.0)?;
    let y = b.unary(Function::Tanh, y)?;
    b.scale(y, cap.0)
}

/// The scores by a table of few bits; the rows are rounded, too.
fn quantized_scores(
    layer: &ReversibleEmbedding,
    b: &mut Builder<'_>,
    x: Value,
    mode: &Quantization,
) -> Result<Value> {
    let compute = b.compute();
    let config = layer.embedding.quantization_config.as_ref();
    let length = layer.embedding.output_dim;
    let block = match mode {
        Quantization::Int4 { block_size } => quantized::block_size(config, *block_size),
        _ => None,
    };
    let tied = layer.reverse.tie_weights;
    let name = if tied { "embeddings" } else { "reverse_embeddings" };
    // The table as whole numbers `[length, rows]`, or as floats where scales are per block.
    let mut table = match mode {
        Quantization::Int8 => quantized::whole(b, name)?,
        Quantization::Int4 { .. } if tied && block.is_some() => {
            embedding::quantized_table(&layer.embedding, b, mode)?
        }
        Quantization::Int4 { .. } => quantized::unpack(b, name, usize::from(tied), length, true)?,
        other => return Err(b.unsupported(format!("a table in {other:?}"))),
    };
    if tied {
        table = b.transpose(table, vec![1, 0])?;
    }
    let scale = b.weight(&format!("{name}_scale"))?;
    if block.is_some() && !tied {
        let zero = b.stored_weight("reverse_embeddings_zero")?;
        table = quantized::grouped(b, table, scale, Some(zero), 0)?;
    }
    let (x, rounding) = match Rounding::of(config, true) {
        Some(rounding) => {
            let (x, scale) = rounding.apply(b, x, &[b.rank(x).saturating_sub(1)])?;
            (x, Some(scale))
        }
        None => (b.cast(x, DType::Float32)?, None),
    };
    let y = dense::product(b, x, table)?;
    let mut y = b.cast(y, compute)?;
    if block.is_none() {
        y = b.div(y, scale)?;
    }
    match rounding {
        Some(scale) => b.div(y, scale),
        None => Ok(y),
    }
}
