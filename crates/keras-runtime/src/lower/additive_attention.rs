//! `AdditiveAttention`.

use keras_model::layers::additive_attention::AdditiveAttention;

use super::{Call, attention};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(
    layer: &AdditiveAttention,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    attention::attend(b, call, layer.dropout.0, |b, query, key| {
        let sum = attention::sums(b, query, key)?;
        let mut sum = b.unary(Function::Tanh, sum)?;
        if layer.use_scale {
            let scale = b.weight("scale")?;
            sum = b.mul(scale, sum)?;
        }
        let last = b.axis(sum, -1)?;
        b.sum(sum, &[last], false)
    })
}
