//! `LayerScale` of ConvNeXt.

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let (x, gamma) = (call.input(b)?, b.weight("variable")?);
    Ok(vec![b.mul(x, gamma)?])
}
