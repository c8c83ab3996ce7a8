//! `Masking`.

use keras_model::layers::masking::Masking;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Relation;

pub(super) fn lower(layer: &Masking, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let last = b.axis(x, -1)?;
    let other = b.compare_number(Relation::NotEqual, x, layer.mask_value.0)?;
    let keep = b.any(other, &[last], true)?;
    let factor = b.cast(keep, b.dtype(x))?;
    let y = b.mul(x, factor)?;
    let mut shape = b.shape(keep).to_vec();
    shape.pop();
    let mask = b.reshape(keep, shape)?;
    b.set_mask(y, Some(mask));
    Ok(vec![y])
}
