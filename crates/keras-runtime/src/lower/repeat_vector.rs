//! `RepeatVector`.

use keras_model::layers::repeat_vector::RepeatVector;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &RepeatVector,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let &[batch, features] = b.shape(x) else {
        return Err(b.error("expected [batch, features]"));
    };
    let x = b.expand(x, 1)?;
    Ok(vec![b.broadcast_to(x, [batch, layer.n, features])?])
}
