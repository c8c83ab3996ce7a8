//! Elements of a tensor by their numbers along an axis.

use super::gather::place;
use super::{Operator, Out, Spec, Types, inputs, single, split_at_axis};
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
}
