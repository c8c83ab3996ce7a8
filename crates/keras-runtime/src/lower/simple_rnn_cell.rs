use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
pub(super) fn lower(
    _: &keras_model::layers::simple_rnn_cell::SimpleRNNCell,
    b: &mut Builder<'_>,
    _call: &Call<'_>,
) -> Result<Vec<Value>> {
    Err(b.unsupported("the layer"))
}
