//! Axes turned around.

use super::{Gradient, Operator, Out, Spec, Types, inputs, single, split_at_axis, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y[.., i, ..] = x[.., n - 1 - i, ..]` along one axis.
///
/// # Shapes
/// That of `x`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flip {
    pub(crate) axis: usize,
}

impl Operator for Flip {
    const NAME: &'static str = "flip";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if self.axis >= x.shape.len() {
            return Err(Error::op(Self::NAME, format!("{:?} has no axis {}", x.shape, self.axis)));
        }
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let [outer, n, inner] = split_at_axis(x.shape, self.axis);
        each_type!(x.data, &mut y.data, |x, y| {
            for o in 0..outer {
                for i in 0..n {
                    let (to, from) = ((o * n + i) * inner, (o * n + n - 1 - i) * inner);
                    y[to..to + inner].clone_from_slice(&x[from..from + inner]);
                }
            }
        });
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        _x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        Ok(vec![Some(b.flip(upstream(Self::NAME, dy)?, self.axis)?)])
    }
}

#[test]
fn gradient_is_the_slope() {
    super::check_gradient(Flip { axis: 1 }, &[super::some_numbers(&[2, 3, 2], 0)]);
}
