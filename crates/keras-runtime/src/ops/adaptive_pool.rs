//! Pooling to a given size.

use super::pool::PoolKind;
use super::{Operator, Out, Spec, Types, inputs, single, split_at_axis};
use crate::element::Number;
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
}

impl AdaptivePool {
    fn run<T: Number>(self, x: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let [outer, n, inner] = split_at_axis(x.shape, self.axis);
        let x = x.of::<T>(Self::NAME)?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        for o in 0..outer {
            for i in 0..self.size {
                let y = &mut y[(o * self.size + i) * inner..][..inner];
                let (from, to) = (i * n / self.size, ((i + 1) * n).div_ceil(self.size));
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
