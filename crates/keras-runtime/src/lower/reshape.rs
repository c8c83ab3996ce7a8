//! `Reshape`.

use keras_model::layers::reshape::Reshape;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::size;

pub(super) fn lower(layer: &Reshape, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let shape = b.shape(x).to_vec();
    let Some((batch, rest)) = shape.split_first() else {
        return Err(b.error("a scalar has no batch axis"));
    };
    let target: Vec<i64> = layer.target_shape.iter().map(|n| n.unwrap_or(-1)).collect();
    let target = fill(&target, size(rest))
        .ok_or_else(|| b.error(format!("cannot give {rest:?} the shape {target:?}")))?;
    Ok(vec![b.reshape(x, [&[*batch], &target[..]].concat())?])
}

/// The shape with what is left in the place of -1.
pub(super) fn fill(target: &[i64], total: usize) -> Option<Vec<usize>> {
    let known = target.iter().filter_map(|n| usize::try_from(*n).ok());
    let known = known.into_iter().try_fold(1_usize, usize::checked_mul)?;
    let unknown = target.iter().filter(|n| **n < 0).count();
    if unknown > 1 {
        return None;
    }
    let rest = if unknown == 1 { total.checked_div(known)? } else { 1 };
    if known.checked_mul(rest)? != total {
        return None;
    }
    Some(target.iter().map(|n| usize::try_from(*n).unwrap_or(rest)).collect())
}
