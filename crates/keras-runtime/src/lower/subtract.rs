//! `Subtract`.

use keras_model::layers::subtract::Subtract;

use super::{Call, merging};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(_: &Subtract, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    match merging::aligned(b, &call.tensors())?.as_slice() {
        [x, y] => Ok(vec![b.sub(*x, *y)?]),
        others => Err(b.error(format!("takes two inputs, found {}", others.len()))),
    }
}
