//! `CategoryEncoding`.

use keras_model::layers::category_encoding::CategoryEncoding;
use keras_model::layers::encoding::OutputMode;

use super::Call;
use super::encoding::encode;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &CategoryEncoding,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let compute = b.compute();
    let weights = call.argument("count_weights", 1);
    if let Some(weights) = weights.filter(|_| layer.output_mode == OutputMode::Count) {
        let hot = b.one_hot(x, layer.num_tokens, compute)?;
        let weights = b.cast(weights, compute)?;
        let weights = b.expand(weights, b.rank(weights))?;
        let hot = b.mul(hot, weights)?;
        let axis = usize::from(b.rank(x) > 1);
        return Ok(vec![b.sum(hot, &[axis], false)?]);
    }
    Ok(vec![encode(b, x, layer.output_mode, layer.num_tokens, compute)?])
}
