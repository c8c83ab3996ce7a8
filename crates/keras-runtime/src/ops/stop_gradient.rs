//! A value that hides how it was made.

use super::{Gradient, Operator, Out, Spec, Types, single, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y = x`. Free: the plan gives both values the same memory.
///
/// # Shapes
/// `x`, and maybe a value of the same shape that is not read, to the shape of `x`.
///
/// # Gradient
/// It ends here, or goes to the second value instead: what Keras calls a custom gradient.
///
/// # Source
/// `keras.ops.stop_gradient(x)`, `keras.ops.custom_gradient`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StopGradient;

impl Operator for StopGradient {
    const NAME: &'static str = "stop_gradient";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        match x {
            [x] => Ok(vec![x.clone()]),
            [x, other] if x.shape == other.shape => Ok(vec![x.clone()]),
            _ => Err(Error::op(Self::NAME, "takes one value, or two of one shape")),
        }
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let y = single(Self::NAME, y)?;
        each_type!(x[0].data, &mut y.data, |x, y| y.clone_from_slice(x));
        Ok(())
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let dy = upstream(Self::NAME, dy)?;
        Ok((0..x.len()).map(|i| (i == 1).then_some(dy)).collect())
    }
}
