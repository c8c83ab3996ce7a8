//! `Flatten`.

use keras_model::layers::flatten::Flatten;

use super::{Call, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::size;

pub(super) fn lower(layer: &Flatten, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = if b.rank(x) > 2 { spatial::channels_last(b, x, layer.data_format)? } else { x };
    let shape = b.shape(x).to_vec();
    let Some((batch, rest)) = shape.split_first() else {
        return Err(b.error("a scalar has no batch axis"));
    };
    Ok(vec![b.reshape(x, [*batch, size(rest)])?])
}
