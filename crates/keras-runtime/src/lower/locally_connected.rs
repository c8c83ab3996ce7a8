use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
pub(super) fn lower<const RANK: usize>(
    _: &keras_model::layers::locally_connected::LocallyConnected<RANK>,
    b: &mut Builder<'_>,
    _call: &Call<'_>,
) -> Result<Vec<Value>> {
    Err(b.unsupported("the layer"))
}
