//! Running sums and products.

use super::{Operator, Out, Spec, Types, inputs, single, split_at_axis};
use crate::element::Number;
use crate::tensor::{View, out};
use crate::{Error, Result};

/// `y[.., i, ..] = x[.., 0, ..] + .. + x[.., i, ..]`, or the product.
///
/// # Shapes
/// That of `x`.
///
/// # Source
/// `keras.ops.cumsum(x, axis)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cumulative {
    pub(crate) product: bool,
    pub(crate) axis: usize,
}

impl Operator for Cumulative {
    const NAME: &'static str = "cumulative";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if self.axis >= x.shape.len() {
            return Err(Error::op(Self::NAME, format!("{:?} has no axis {}", x.shape, self.axis)));
        }
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        numbers!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }
}

impl Cumulative {
    fn run<T: Number>(self, x: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let [_, n, inner] = split_at_axis(x.shape, self.axis);
        let y = out::<T>(&mut y.data, Self::NAME)?;
        y.copy_from_slice(x.of::<T>(Self::NAME)?);
        for block in y.chunks_exact_mut((n * inner).max(1)) {
            for i in inner..block.len() {
                let (a, b) = (block[i - inner], block[i]);
                block[i] = if self.product { a.times(b) } else { a.plus(b) };
            }
        }
        Ok(())
    }
}
