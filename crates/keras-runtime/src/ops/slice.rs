//! Parts of a tensor.

use super::transpose::copy_strided;
use super::{
    Gradient, Operator, Out, PadMode, Spec, Types, inputs, single, size, strides, upstream,
};
use crate::graph::{Builder, Value};
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

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let (mut dx, shape) = (upstream(Self::NAME, dy)?, b.shape(x[0]).to_vec());
        if size(&self.count) == 0 {
            return Ok(vec![Some(b.zeros_like(x[0])?)]);
        }
        let mut borders = Vec::with_capacity(shape.len());
        for (axis, n) in shape.iter().enumerate() {
            let (begin, count, step) = (self.begin[axis], self.count[axis], self.step[axis]);
            if step > 1 && count > 1 {
                // Zeros between the elements, but for those behind the last.
                let mut spread = b.shape(dx).to_vec();
                dx = b.expand(dx, axis + 1)?;
                let mut between = vec![(0, 0); spread.len() + 1];
                between[axis + 1] = (0, step - 1);
                dx = b.pad(dx, &between, PadMode::Constant(0.0))?;
                spread[axis] = count.saturating_mul(step);
                dx = b.reshape(dx, spread)?;
                dx = b.slice(dx, axis, 0, (count - 1) * step + 1)?;
            }
            let end = begin + (count - 1) * step + 1;
            borders.push((begin, n - end));
        }
        Ok(vec![Some(b.pad(dx, &borders, PadMode::Constant(0.0))?)])
    }
}

#[test]
fn gradient_is_the_slope() {
    let op = StridedSlice { begin: vec![1, 0], count: vec![2, 2], step: vec![1, 3] };
    super::check_gradient(op, &[super::some_numbers(&[4, 6], 0)]);
}
