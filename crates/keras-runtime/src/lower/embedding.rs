//! `Embedding`.

use keras_model::layers::embedding::Embedding;
use keras_model::{DType, Quantization};

use super::{Call, dense, quantized};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Relation;

pub(super) fn lower(layer: &Embedding, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let numbers = b.cast(x, DType::Int64)?;
    let y = match &call.base.dtype.quantization {
        None | Some(Quantization::Float8 { .. }) => {
            let table = dense::kernel(b, "embeddings", layer.lora)?;
            b.gather(table, numbers, 0)?
        }
        Some(mode) => quantized_rows(layer, b, numbers, mode)?,
    };
    if layer.mask_zero {
        let mask = b.compare_number(Relation::NotEqual, numbers, 0.0)?;
        b.set_mask(y, Some(mask));
    }
    Ok(vec![y])
}

/// Rows of a table of few bits.
fn quantized_rows(
    layer: &Embedding,
    b: &mut Builder<'_>,
    numbers: Value,
    mode: &Quantization,
) -> Result<Value> {
    let y = if *mode == Quantization::Int8 {
        let table = b.stored_weight("embeddings")?;
        let rows = b.gather(table, numbers, 0)?;
        let rows = b.cast(rows, b.compute())?;
        let scale = b.weight("embeddings_scale")?;
        let scale = b.gather(scale, numbers, 0)?;
        let scale = b.expand(scale, b.rank(scale))?;
        b.div(rows, scale)?
    } else {
        let table = quantized_table(layer, b, mode)?;
        let table = b.cast(table, b.compute())?;
        b.gather(table, numbers, 0)?
    };
    let Some((first, second, factor)) = quantized::lora(b, "embeddings", layer.lora) else {
        return Ok(y);
    };
    let (first, second) = (b.weight(&first)?, b.weight(&second)?);
    let update = b.gather(first, numbers, 0)?;
    let update = dense::product(b, update, second)?;
    let update = b.scale(update, factor)?;
    b.add(y, update)
}

/// A table of few bits as floats.
pub(super) fn quantized_table(
    layer: &Embedding,
    b: &mut Builder<'_>,
    mode: &Quantization,
) -> Result<Value> {
    let scale = b.weight("embeddings_scale")?;
    match mode {
        Quantization::Int8 => {
            let table = quantized::whole(b, "embeddings")?;
            let scale = b.expand(scale, 1)?;
            b.div(table, scale)
        }
        Quantization::Int4 { block_size } => {
            let table = quantized::unpack(b, "embeddings", 1, layer.output_dim, true)?;
            let config = layer.quantization_config.as_ref();
            if quantized::block_size(config, *block_size).is_some() {
                let zero = b.stored_weight("embeddings_zero")?;
                return quantized::grouped(b, table, scale, Some(zero), 1);
            }
            let scale = b.expand(scale, 1)?;
            b.div(table, scale)
        }
        other => Err(b.unsupported(format!("a table in {other:?}"))),
    }
}
