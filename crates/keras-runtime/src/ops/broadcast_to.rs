//! Repeats a tensor along axes of length 1.

use super::transpose::copy_strided;
use super::{
    Gradient, Operator, Out, Spec, Types, broadcast, broadcast_strides, inputs, single, upstream,
};
use crate::graph::{Builder, Value};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y = x`, repeated along new axes and those of length 1.
///
/// # Shapes
/// `x` to [`shape`](Self::shape), axes aligned at the end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BroadcastTo {
    pub(crate) shape: Vec<usize>,
}

impl Operator for BroadcastTo {
    const NAME: &'static str = "broadcast_to";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if broadcast(Self::NAME, &x.shape, &self.shape)? != self.shape {
            let reason = format!("{:?} does not broadcast to {:?}", x.shape, self.shape);
            return Err(Error::op(Self::NAME, reason));
        }
        Ok(vec![Spec::new(self.shape.clone(), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let steps = broadcast_strides(x.shape, y.shape);
        each_type!(x.data, &mut y.data, |x, out| copy_strided(x, &steps, 0, y.shape, out));
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let shape = b.shape(x[0]).to_vec();
        Ok(vec![Some(b.sum_to(upstream(Self::NAME, dy)?, &shape)?)])
    }
}

#[test]
fn gradient_is_the_slope() {
    let op = BroadcastTo { shape: vec![2, 3, 4] };
    super::check_gradient(op, &[super::some_numbers(&[3, 1], 0)]);
}
