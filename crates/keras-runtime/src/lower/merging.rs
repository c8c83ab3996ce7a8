//! `Add`, `Average`, `Maximum`, `Minimum`, `Multiply`, and the masks of all merging layers.

use keras_model::Kind;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Connective};

/// What is done with the inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Merging {
    Add,
    Average,
    Maximum,
    Minimum,
    Multiply,
}

pub(super) fn lower(b: &mut Builder<'_>, call: &Call<'_>, how: Merging) -> Result<Vec<Value>> {
    let inputs = aligned(b, &call.tensors())?;
    let arithmetic = match how {
        Merging::Add | Merging::Average => Arithmetic::Add,
        Merging::Maximum => Arithmetic::Max,
        Merging::Minimum => Arithmetic::Min,
        Merging::Multiply => Arithmetic::Mul,
    };
    let Some((first, rest)) = inputs.split_first() else {
        return Err(b.error("called without a tensor"));
    };
    let mut y = *first;
    for x in rest {
        y = b.binary(arithmetic, y, *x)?;
    }
    if how == Merging::Average {
        if !b.dtype(y).is_float() {
            y = b.cast(y, b.compute())?;
        }
        y = b.with_number(Arithmetic::Div, y, inputs.len() as f64)?;
    }
    Ok(vec![y])
}

/// All with the most axes that one has; new ones stand behind the batch.
pub(super) fn aligned(b: &mut Builder<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let most = inputs.iter().map(|v| b.rank(*v)).max().unwrap_or(0);
    inputs
        .iter()
        .map(|v| {
            let mut shape = b.shape(*v).to_vec();
            while shape.len() < most {
                shape.insert(shape.len().min(1), 1);
            }
            b.reshape(*v, shape)
        })
        .collect()
}

/// The mask of a merging layer's output.
pub(super) fn mask(kind: &Kind, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Option<Value>> {
    let masks = call.masks(b);
    if masks.iter().all(Option::is_none) {
        return Ok(None);
    }
    if let Kind::Concatenate(layer) = kind {
        return concatenated(b, &call.tensors(), &masks, layer.axis);
    }
    // Keras 3: an element counts if it counts in one input, and all must have masks; before that it
    // had to count in all that have one.
    let connective = if b.is_keras3() { Connective::Or } else { Connective::And };
    if b.is_keras3() && masks.iter().any(Option::is_none) {
        return Ok(None);
    }
    let mut masks = masks.into_iter().flatten();
    let Some(mut all) = masks.next() else { return Ok(None) };
    for mask in masks {
        all = b.logic(connective, all, mask)?;
    }
    Ok(Some(all))
}

fn concatenated(
    b: &mut Builder<'_>,
    inputs: &[Value],
    masks: &[Option<Value>],
    axis: i64,
) -> Result<Option<Value>> {
    let mut parts = Vec::with_capacity(inputs.len());
    for (x, mask) in inputs.iter().zip(masks) {
        let shape = b.shape(*x).to_vec();
        let mask = match mask {
            Some(mask) => {
                let mut mask_shape = b.shape(*mask).to_vec();
                while mask_shape.len() < shape.len() {
                    mask_shape.push(1);
                }
                b.reshape(*mask, mask_shape)?
            }
            None => b.constant(crate::Tensor::scalar(true)),
        };
        parts.push(b.broadcast_to(mask, shape)?);
    }
    let Some(first) = inputs.first() else { return Ok(None) };
    let axis = b.axis(*first, axis)?;
    let all = b.concat(&parts, axis)?;
    let last = b.axis(*first, -1)?;
    Ok(Some(b.all(all, &[last], false)?))
}
