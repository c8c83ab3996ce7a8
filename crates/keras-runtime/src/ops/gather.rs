//! Slices of a tensor by their numbers.

use super::{Operator, Out, Spec, Types, inputs, single, split_at_axis};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y[.., i.., ..] = x[.., indices[i..], ..]` along one axis: rows of a table.
///
/// # Shapes
/// `x: [a.., n, b..]`, `indices: [i..]` of `int64` to `[a.., i.., b..]`. Negative indices count
/// from the end.
///
/// # Errors
/// [`Error::Value`] for an index that is not in the axis.
///
/// # Source
/// `keras.ops.take(x, indices, axis)`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gather {
    pub(crate) axis: usize,
}

/// The place of an index in an axis of length `n`.
pub(super) fn place(index: i64, n: usize) -> Result<usize> {
    let at = if index < 0 { index.saturating_add(n as i64) } else { index };
    usize::try_from(at)
        .ok()
        .filter(|at| *at < n)
        .ok_or_else(|| Error::Value(format!("index {index} is not in an axis of length {n}")))
}

impl Operator for Gather {
    const NAME: &'static str = "gather";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, indices] = inputs(Self::NAME, x)?;
        if self.axis >= x.shape.len() {
            return Err(Error::op(Self::NAME, format!("{:?} has no axis {}", x.shape, self.axis)));
        }
        let (before, after) = (&x.shape[..self.axis], &x.shape[self.axis + 1..]);
        Ok(vec![Spec::new([before, &indices.shape, after].concat(), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x, indices], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let indices = indices.of::<i64>(Self::NAME)?;
        let [outer, n, inner] = split_at_axis(x.shape, self.axis);
        each_type!(x.data, &mut y.data, |x, y| {
            for o in 0..outer {
                for (i, index) in indices.iter().enumerate() {
                    let from = (o * n + place(*index, n)?) * inner;
                    let to = (o * indices.len() + i) * inner;
                    y[to..to + inner].clone_from_slice(&x[from..from + inner]);
                }
            }
        });
        Ok(())
    }
}
