//! Running sums and products.

use super::{
    Arithmetic, Gradient, Operator, Out, Spec, Types, inputs, single, split_at_axis, upstream,
};
use crate::element::Number;
use crate::graph::{Builder, Value};
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

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let dy = upstream(Self::NAME, dy)?;
        if !self.product {
            return Ok(vec![Some(backwards(b, dy, self.axis)?)]);
        }
        let product = b.mul(y[0], dy)?;
        let sum = backwards(b, product, self.axis)?;
        Ok(vec![Some(b.binary(Arithmetic::DivNoNan, sum, x[0])?)])
    }
}

/// The sums of each element and those behind it.
fn backwards(b: &mut Builder<'_>, x: Value, axis: usize) -> Result<Value> {
    let x = b.flip(x, axis)?;
    let x = b.cumulative(x, axis, false)?;
    b.flip(x, axis)
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

#[test]
fn gradient_is_the_slope() {
    for product in [false, true] {
        super::check_gradient(
            Cumulative { product, axis: 1 },
            &[super::some_numbers(&[2, 4, 2], 0)],
        );
    }
}
