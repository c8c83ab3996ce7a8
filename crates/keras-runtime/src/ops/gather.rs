//! Slices of a tensor by their numbers.

use super::{Gradient, Operator, Out, Spec, Types, inputs, single, size, split_at_axis, upstream};
use crate::graph::{Builder, Value};
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

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // Each row of the table gets the sum of what reaches its copies.
        let shape = b.shape(x[0]).to_vec();
        let (places, count) = (x[1], size(b.shape(x[1])));
        let mut dy = upstream(Self::NAME, dy)?;
        let n = b.rank(places);
        // The axes of the indices to the front.
        let axes = (self.axis..self.axis + n).chain(0..self.axis).chain(self.axis + n..b.rank(dy));
        dy = b.transpose(dy, axes.collect::<Vec<_>>())?;
        let places = b.reshape(places, [count])?;
        let rows = [&shape[..self.axis], &shape[self.axis + 1..]].concat();
        dy = b.reshape(dy, [&[count], &rows[..]].concat())?;
        let sum = b.sum_rows(dy, places, shape[self.axis])?;
        Ok(vec![Some(b.move_axis(sum, 0, self.axis)?), None])
    }
}

#[test]
fn gradient_is_the_slope() {
    let indices = crate::Tensor::new([2, 2], vec![0_i64, 2, -1, 0]).unwrap();
    for axis in 0..3 {
        let x = [super::some_numbers(&[3, 4, 3], 0), indices.clone()];
        super::check_gradient(Gather { axis }, &x);
    }
}
