//! `Merge`: Keras 1's layer for all ways of merging.

use keras_model::layers::merge::{Merge, MergeBy, MergeRule};

use super::merging::{self, Merging};
use super::{Call, concatenate, dot};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

pub(super) fn lower(layer: &Merge, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let MergeBy::Rule(rule) = &layer.mode else { return Err(b.unsupported("Python code")) };
    let merging = match rule {
        MergeRule::Sum => Merging::Add,
        MergeRule::Mul => Merging::Multiply,
        MergeRule::Ave => Merging::Average,
        MergeRule::Max => Merging::Maximum,
        MergeRule::Concat => {
            return Ok(vec![concatenate::concatenate(b, &call.tensors(), layer.concat_axis)?]);
        }
        MergeRule::Dot | MergeRule::Cos => {
            let &[x, y] = call.tensors().as_slice() else {
                return Err(b.error("takes two inputs"));
            };
            let product = dot::product(b, x, y, layer.dot_axes)?;
            if *rule == MergeRule::Dot {
                return Ok(vec![product]);
            }
            let left = dot::product(b, x, x, layer.dot_axes)?;
            let right = dot::product(b, y, y, layer.dot_axes)?;
            let squares = b.mul(left, right)?;
            let length = b.unary(Function::Sqrt, squares)?;
            let cosine = b.div(product, length)?;
            return Ok(vec![b.expand(cosine, 1)?]);
        }
    };
    merging::lower(b, call, merging)
}
