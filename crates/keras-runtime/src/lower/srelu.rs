//! `SReLU`.

use keras_model::layers::srelu::SReLU;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Function, Relation};

pub(super) fn lower(_: &SReLU, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let (left, right) = (b.weight("t_left")?, b.weight("t_right")?);
    let (slope_left, slope_right) = (b.weight("a_left")?, b.weight("a_right")?);
    // The right corner is never left of the left one.
    let right = b.unary(Function::Abs, right)?;
    let right = b.add(left, right)?;
    let line = |b: &mut Builder<'_>, corner: Value, slope: Value| {
        let beyond = b.sub(x, corner)?;
        let beyond = b.mul(slope, beyond)?;
        b.add(corner, beyond)
    };
    let (below, above) = (line(b, left, slope_left)?, line(b, right, slope_right)?);
    let is_below = b.compare(Relation::Less, x, left)?;
    let is_above = b.compare(Relation::Greater, x, right)?;
    let y = b.select(is_above, above, x)?;
    Ok(vec![b.select(is_below, below, y)?])
}
