//! `Dot`.

use keras_model::layers::dot::{Dot, DotAxes};

use super::Call;
use super::unit_normalization::unit;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::size;

pub(super) fn lower(layer: &Dot, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let &[mut x, mut y] = call.tensors().as_slice() else {
        return Err(b.error("takes two inputs"));
    };
    let [i, j] = axes(b, x, y, layer.axes)?;
    if layer.normalize {
        x = unit(b, x, &[i], 1e-12)?;
        y = unit(b, y, &[j], 1e-12)?;
    }
    Ok(vec![product(b, x, y, layer.axes)?])
}

fn axes(b: &Builder<'_>, x: Value, y: Value, axes: DotAxes) -> Result<[usize; 2]> {
    let [i, j] = match axes {
        DotAxes::Same(axis) => [axis, axis],
        DotAxes::Each(pair) => pair,
    };
    Ok([b.axis(x, i)?, b.axis(y, j)?])
}

/// The product of two tensors, sample by sample, summed over an axis of each.
pub(super) fn product(b: &mut Builder<'_>, x: Value, y: Value, over: DotAxes) -> Result<Value> {
    let [i, j] = axes(b, x, y, over)?;
    let last = |b: &Builder<'_>, v: Value| b.rank(v).saturating_sub(1);
    let (lx, ly) = (last(b, x), last(b, y));
    let x = b.move_axis(x, i, lx)?;
    let y = b.move_axis(y, j, ly)?;
    let (sx, sy) = (b.shape(x).to_vec(), b.shape(y).to_vec());
    let (&[batch, ref outer_x @ .., k], &[_, ref outer_y @ .., l]) = (&sx[..], &sy[..]) else {
        return Err(b.error(format!("cannot multiply {sx:?} and {sy:?}")));
    };
    let x = b.reshape(x, [batch, size(outer_x), k])?;
    let y = b.reshape(y, [batch, size(outer_y), l])?;
    let z = b.matmul_transposed(x, y)?;
    let mut shape = [&[batch], outer_x, outer_y].concat();
    if shape.len() == 1 {
        shape.push(1);
    }
    b.reshape(z, shape)
}
