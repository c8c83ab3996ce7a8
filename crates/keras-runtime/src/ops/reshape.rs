//! Another shape for the same elements. Free: the plan gives both values the same memory.

use super::{Operator, Out, Spec, Types, inputs, single, size};
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
}
