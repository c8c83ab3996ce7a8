//! Elements of a tensor by their numbers along an axis.

use super::gather::place;
use super::{
    Arithmetic, Gradient, Operator, Out, Relation, Spec, Types, inputs, single, size,
    split_at_axis, upstream,
};
use crate::graph::{Builder, Value};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y[.., i, ..] = x[.., indices[.., i, ..], ..]` along one axis.
///
/// # Shapes
/// `x: [.., n, ..]`, `indices: [.., m, ..]` of `int64`, else equal, to the shape of `indices`.
///
/// # Errors
/// [`Error::Value`] for an index that is not in the axis.
///
/// # Source
/// `keras.ops.take_along_axis(x, indices, axis)`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GatherAlong {
    pub(crate) axis: usize,
}

impl Operator for GatherAlong {
    const NAME: &'static str = "gather_along";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, indices] = inputs(Self::NAME, x)?;
        let fits = self.axis < x.shape.len()
            && x.shape.len() == indices.shape.len()
            && (0..x.shape.len()).all(|i| i == self.axis || x.shape[i] == indices.shape[i]);
        if !fits {
            let reason = format!("indices {:?} do not fit {:?}", indices.shape, x.shape);
            return Err(Error::op(Self::NAME, reason));
        }
        Ok(vec![Spec::new(indices.shape.clone(), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x, indices], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let [outer, n, inner] = split_at_axis(x.shape, self.axis);
        let m = indices.shape[self.axis];
        let indices = indices.of::<i64>(Self::NAME)?;
        each_type!(x.data, &mut y.data, |x, y| {
            for o in 0..outer {
                for k in 0..m * inner {
                    let at = o * m * inner + k;
                    let from = (o * n + place(indices[at], n)?) * inner + k % inner;
                    y[at] = x[from].clone();
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
        // Rows of one element: where each was read is where it goes.
        let shape = b.shape(x[0]).to_vec();
        let [outer, n, inner] = split_at_axis(&shape, self.axis);
        let m = b.shape(x[1])[self.axis];
        let negative = b.compare_number(Relation::Less, x[1], 0.0)?;
        let from_end = b.with_number(Arithmetic::Add, x[1], n as f64)?;
        let place = b.select(negative, from_end, x[1])?;
        let place = b.reshape(place, [outer, m, inner])?;
        let rows = b.indices((0..outer).map(|i| i * n))?;
        let rows = b.reshape(rows, [outer, 1, 1])?;
        let place = b.add(place, rows)?;
        let place = b.with_number(Arithmetic::Mul, place, inner as f64)?;
        let columns = b.indices(0..inner)?;
        let place = b.add(place, columns)?;
        let place = b.reshape(place, [outer * m * inner])?;
        let dy = b.reshape(upstream(Self::NAME, dy)?, [outer * m * inner])?;
        let sum = b.sum_rows(dy, place, size(&shape))?;
        Ok(vec![Some(b.reshape(sum, shape)?), None])
    }
}

#[test]
fn gradient_is_the_slope() {
    let indices = crate::Tensor::new([2, 2, 1], vec![0_i64, 2, -1, 2]).unwrap();
    super::check_gradient(GatherAlong { axis: 1 }, &[super::some_numbers(&[2, 3, 1], 0), indices]);
}
