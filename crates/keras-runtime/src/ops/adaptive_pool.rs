//! Pooling to a given size.

use super::pool::PoolKind;
use super::{
    Gradient, Operator, Out, PadMode, Spec, Types, inputs, single, split_at_axis, upstream,
};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// One axis cut into `size` windows, as even as they can be: window `i` goes from `⌊i · n / size⌋`
/// to `⌈(i + 1) · n / size⌉`. Several axes are several of these.
///
/// # Shapes
/// `x: [.., n, ..]` to `[.., size, ..]`.
///
/// # Source
/// `keras.ops.adaptive_max_pool` and `adaptive_average_pool`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdaptivePool {
    pub(crate) axis: usize,
    pub(crate) size: usize,
    pub(crate) kind: PoolKind,
}

impl Operator for AdaptivePool {
    const NAME: &'static str = "adaptive_pool";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        match x.shape.get(self.axis) {
            Some(n) if *n > 0 && self.size > 0 => {
                let mut shape = x.shape.clone();
                shape[self.axis] = self.size;
                Ok(vec![Spec::new(shape, x.dtype)])
            }
            _ => Err(Error::op(Self::NAME, format!("axis {} of {:?}", self.axis, x.shape))),
        }
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        numbers!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let (dy, spec) = (upstream(Self::NAME, dy)?, b.spec(x[0]).clone());
        let n = spec.shape[self.axis];
        let mut dx = None;
        for i in 0..self.size {
            let (from, to) = self.window(i, n);
            let part = b.slice(dy, self.axis, i, i + 1)?;
            let part = match self.kind {
                PoolKind::Average => {
                    let part = b.scale(part, 1.0 / (to - from) as f64)?;
                    let mut shape = spec.shape.clone();
                    shape[self.axis] = to - from;
                    b.broadcast_to(part, shape)?
                }
                // All of it goes to the first of the largest.
                PoolKind::Max => {
                    let window = b.slice(x[0], self.axis, from, to)?;
                    let first = b.arg_reduce(window, self.axis, true)?;
                    let hot = b.one_hot(first, to - from, spec.dtype)?;
                    let hot = b.move_axis(hot, spec.shape.len() - 1, self.axis)?;
                    b.mul(hot, part)?
                }
            };
            let mut borders = vec![(0, 0); spec.shape.len()];
            borders[self.axis] = (from, n - to);
            let part = b.pad(part, &borders, PadMode::Constant(0.0))?;
            dx = Some(match dx {
                Some(sum) => b.add(sum, part)?,
                None => part,
            });
        }
        Ok(vec![dx])
    }
}

impl AdaptivePool {
    /// Where window `i` of an axis of length `n` begins and ends.
    const fn window(self, i: usize, n: usize) -> (usize, usize) {
        (i * n / self.size, ((i + 1) * n).div_ceil(self.size))
    }

    fn run<T: Number>(self, x: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let [outer, n, inner] = split_at_axis(x.shape, self.axis);
        let x = x.of::<T>(Self::NAME)?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        for o in 0..outer {
            for i in 0..self.size {
                let y = &mut y[(o * self.size + i) * inner..][..inner];
                let (from, to) = self.window(i, n);
                y.copy_from_slice(&x[(o * n + from) * inner..][..inner]);
                for k in from + 1..to {
                    for (y, x) in y.iter_mut().zip(&x[(o * n + k) * inner..]) {
                        *y = match self.kind {
                            PoolKind::Max if *y > *x || y.not_a_number() => *y,
                            PoolKind::Max => *x,
                            PoolKind::Average => y.plus(*x),
                        };
                    }
                }
                if self.kind == PoolKind::Average {
                    let count = <T as num_traits::NumCast>::from(to - from).unwrap_or_else(T::one);
                    y.iter_mut().for_each(|y| *y = y.divide(count));
                }
            }
        }
        Ok(())
    }
}

#[test]
fn gradient_is_the_slope() {
    for kind in [PoolKind::Max, PoolKind::Average] {
        let op = AdaptivePool { axis: 1, size: 3, kind };
        super::check_gradient(op, &[super::some_numbers(&[2, 7, 2], 0)]);
    }
}
