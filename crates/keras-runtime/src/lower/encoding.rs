//! Category numbers as vectors: what the layers for categories and text share.

use keras_model::DType;
use keras_model::layers::encoding::OutputMode;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Reduction;

/// Numbers less than `depth` as the mode says; others have no place in a vector.
pub(super) fn encode(
    b: &mut Builder<'_>,
    x: Value,
    mode: OutputMode,
    depth: usize,
    dtype: DType,
) -> Result<Value> {
    if mode == OutputMode::Int {
        return b.cast(x, dtype);
    }
    let mut x = if b.rank(x) == 0 { b.expand(x, 0)? } else { x };
    if mode == OutputMode::OneHot {
        if let [_, .., 1] = b.shape(x) {
            let outer = b.shape(x).split_last().map(|(_, outer)| outer.to_vec());
            x = b.reshape(x, outer.unwrap_or_default())?;
        }
        return b.one_hot(x, depth, dtype);
    }
    let axis = usize::from(b.rank(x) > 1);
    let hot = b.one_hot(x, depth, dtype)?;
    let how = if mode == OutputMode::MultiHot { Reduction::Max } else { Reduction::Sum };
    b.reduce(how, hot, &[axis], false)
}
