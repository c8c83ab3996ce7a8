//! What the merging layers share. Source: `keras/src/layers/merging/base_merge.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::{LayerConfig, Mask};
use crate::{Call, Dim, KerasTensor, Result, Shape};

/// A function of its inputs, element by element; the class says which. No arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elementwise {}

impl LayerConfig for Elementwise {
    /// The shape that all inputs broadcast to, axes aligned at the end.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(call.output(broadcast(call)?))
    }

    fn mask(&self) -> Mask {
        Mask::Merges
    }
}

/// `[batch, ..]` of all inputs: the batch if one is known, the rest as NumPy broadcasts it, but
/// an axis that is not known in one input is not known in the result.
pub(super) fn broadcast(call: &Call<'_>) -> Result<Shape> {
    let mut shapes = call.tensors().iter().map(|t| t.shape.dims());
    let wrong = || call.error("a merging layer takes a list of tensors with a batch axis");
    let (first, mut merged) = match shapes.next() {
        Some([batch, rest @ ..]) => (*batch, rest.to_vec()),
        _ => return Err(wrong()),
    };
    let mut batches = vec![first];
    for shape in shapes {
        let [batch, rest @ ..] = shape else { return Err(wrong()) };
        batches.push(*batch);
        merged = elementwise(call, &merged, rest)?;
    }
    let known: std::collections::BTreeSet<usize> = batches.into_iter().flatten().collect();
    if known.len() > 1 {
        return Err(call.error("the inputs have different batch sizes"));
    }
    let mut dims: Vec<Dim> = vec![known.first().copied()];
    dims.extend(merged);
    Ok(Shape(dims))
}

fn elementwise(call: &Call<'_>, a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let (head, tail) = long.split_at(long.len().saturating_sub(short.len()));
    let mut out = head.to_vec();
    for (a, b) in tail.iter().zip(short) {
        out.push(match (*a, *b) {
            (None, _) | (_, None) => None,
            (Some(1), other) | (other, Some(1)) => other,
            (a, b) if a == b => a,
            _ => {
                let print = |dims: &[Dim]| Shape(dims.to_vec()).to_string();
                let (long, short) = (print(long), print(short));
                return Err(call.error(format!("inputs {long} and {short} do not broadcast")));
            }
        });
    }
    Ok(out)
}
