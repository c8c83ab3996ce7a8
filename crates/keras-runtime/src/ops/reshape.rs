//! Another shape for the same elements. Free: the plan gives both values the same memory.

use super::{Gradient, Operator, Out, Spec, Types, inputs, single, size, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y = x` in another shape.
///
/// # Shapes
/// Any to [`shape`](Self::shape), with the same number of elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reshape {
    pub(crate) shape: Vec<usize>,
}

impl Operator for Reshape {
    const NAME: &'static str = "reshape";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if size(&x.shape) != size(&self.shape) {
            let reason = format!("cannot give {:?} the shape {:?}", x.shape, self.shape);
            return Err(Error::op(Self::NAME, reason));
        }
        Ok(vec![Spec::new(self.shape.clone(), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        each_type!(x.data, &mut y.data, |x, y| y.clone_from_slice(x));
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
        Ok(vec![Some(b.reshape(upstream(Self::NAME, dy)?, shape)?)])
    }
}

#[test]
fn gradient_is_the_slope() {
    super::check_gradient(Reshape { shape: vec![3, 2] }, &[super::some_numbers(&[2, 3], 0)]);
}
