//! `MaxoutDense`.

use keras_model::layers::maxout_dense::MaxoutDense;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Reduction;

pub(super) fn lower(
    layer: &MaxoutDense,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.expand(x, 0)?;
    let kernel = b.weight("kernel")?;
    let mut y = b.matmul(x, kernel)?;
    if layer.use_bias {
        let bias = b.weight("bias")?;
        let bias = b.expand(bias, 1)?;
        y = b.add(y, bias)?;
    }
    Ok(vec![b.reduce(Reduction::Max, y, &[0], false)?])
}
