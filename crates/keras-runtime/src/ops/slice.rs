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

impl StridedSlice {
    /// The axis along which neighbours are taken, and the first of them, if all others are whole.
    pub(crate) fn along_one_axis(&self, shape: &[usize]) -> Option<(usize, usize)> {
        let is_part = |axis: &usize| self.count.get(*axis) != shape.get(*axis);
        let mut parts = (0..shape.len()).filter(is_part);
        let axis = parts.next()?;
        let is_one = parts.next().is_none() && self.step.iter().all(|step| *step == 1);
        is_one.then(|| (axis, self.begin.get(axis).copied().unwrap_or(0)))
    }
}

#[test]
fn gradient_is_the_slope() {
    let op = StridedSlice { begin: vec![1, 0], count: vec![2, 2], step: vec![1, 3] };
    super::check_gradient(op, &[super::some_numbers(&[4, 6], 0)]);
}

/// What reaches parts that overlap, touch and leave gaps.
#[test]
fn parts_become_one() {
    let places = [(1, 2), (3, 1), (2, 4), (8, 1), (3, 1)];
    let x = super::some_numbers(&[2, 9], 0);
    let dy = places.map(|(start, count)| super::some_numbers(&[2, count], start));
    let found = super::check::gradients_of(&[x], &dy, |b, x| {
        places.iter().map(|(start, count)| b.slice(x[0], 1, *start, start + count)).collect()
    });
    let mut expected = [0.0; 18];
    for ((start, count), dy) in places.iter().zip(&dy) {
        for (i, dy) in dy.as_slice::<f64>().unwrap().iter().enumerate() {
            expected[i / count * 9 + start + i % count] += dy;
        }
    }
    let found = found[0].as_ref().and_then(|t| t.as_slice::<f64>()).unwrap();
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
}
