//! Parts of a tensor.

use super::transpose::copy_strided;
use super::{Operator, Out, Spec, Types, inputs, single, strides};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y = x[begin .. begin + count · step : step]` along each axis.
///
/// # Shapes
/// `x` to the `count` of each axis. Steps are positive; [`Flip`](super::Flip) turns axes around.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StridedSlice {
    pub(crate) begin: Vec<usize>,
    pub(crate) count: Vec<usize>,
    pub(crate) step: Vec<usize>,
}

impl Operator for StridedSlice {
    const NAME: &'static str = "slice";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let axes = self.begin.iter().zip(&self.count).zip(&self.step).zip(&x.shape);
        let inside = self.count.len() == x.shape.len()
            && axes.into_iter().all(|(((begin, count), step), n)| {
                *step > 0 && (*count == 0 || begin + (count - 1) * step < *n)
            });
        if !inside {
            return Err(Error::op(Self::NAME, format!("{self:?} is not inside {:?}", x.shape)));
        }
        Ok(vec![Spec::new(self.count.clone(), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let own = strides(x.shape);
        let start = own.iter().zip(&self.begin).map(|(s, b)| s * b).sum();
        let steps: Vec<usize> = own.iter().zip(&self.step).map(|(s, b)| s * b).collect();
        each_type!(x.data, &mut y.data, |x, out| copy_strided(x, &steps, start, y.shape, out));
        Ok(())
    }
}
