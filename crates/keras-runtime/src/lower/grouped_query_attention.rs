//! `GroupedQueryAttention`.

use keras_model::layers::grouped_query_attention::GroupedQueryAttention;

use super::multi_head_attention::{Heads, attend, project};
use super::{Call, up_sampling};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(
    layer: &GroupedQueryAttention,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let heads = Heads::new(b, call)?;
    let bias = layer.use_bias;
    let query = project(b, call, "query", heads.query, 1, bias)?;
    let key = project(b, call, "key", heads.key, 1, bias)?;
    let value = project(b, call, "value", heads.value, 1, bias)?;
    let repeats = layer.num_query_heads.checked_div(layer.num_key_value_heads);
    let repeats = repeats.ok_or_else(|| b.error("no heads for key and value"))?;
    let key = up_sampling::repeat(b, key, 2, repeats)?;
    let value = up_sampling::repeat(b, value, 2, repeats)?;
    let returns = call.flag("return_attention_scores", 7);
    let direct = layer.dropout.0 == 0.0 && !returns;
    let mask = heads.mask(b, call, layer.sliding_window)?;
    let scale = 1.0 / (layer.head_dim as f64).sqrt();
    let (mut y, scores) =
        attend(b, [query, key, value], mask, &[1], scale, direct, layer.dropout.0)?;
    if layer.use_gate {
        let gate = project(b, call, "gate", heads.query, 1, bias)?;
        let gate = b.unary(Function::Sigmoid, gate)?;
        y = b.mul(y, gate)?;
    }
    let mut out = vec![project(b, call, "attention_output", y, 2, bias)?];
    if returns {
        out.push(scores);
    }
    Ok(out)
}
