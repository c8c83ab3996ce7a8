//! `Softmax`.

use keras_model::DType;
use keras_model::layers::softmax::Softmax;

use super::{Call, activation, axes};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(layer: &Softmax, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let mut x = b.cast(x, b.compute())?;
    let axes = axes::of(b, x, &layer.axis)?;
    if let Some(mask) = call.argument("mask", 1).or_else(|| call.mask(b)) {
        x = masked(b, x, mask)?;
    }
    let y = over(b, x, &axes)?;
    Ok(vec![y])
}

/// `x` where the mask holds, a very negative number elsewhere.
pub(super) fn masked(b: &mut Builder<'_>, x: Value, mask: Value) -> Result<Value> {
    let low = if b.dtype(x) == DType::Float16 { -3e4 } else { -1e9 };
    let low = b.scalar(low, b.dtype(x))?;
    let mut shape = b.shape(mask).to_vec();
    // A mask of steps stands before the features.
    while shape.len() < b.rank(x) && b.shape(x).starts_with(&shape) {
        shape.push(1);
    }
    let mask = b.reshape(mask, shape)?;
    b.select(mask, x, low)
}

/// Softmax over one axis or several.
pub(super) fn over(b: &mut Builder<'_>, x: Value, axes: &[usize]) -> Result<Value> {
    if let [axis] = axes {
        return b.softmax(x, *axis, false);
    }
    let log = activation::logsumexp(b, x, axes, true)?;
    let y = b.sub(x, log)?;
    b.unary(Function::Exp, y)
}
