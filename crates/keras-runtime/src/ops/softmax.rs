//! Softmax and its logarithm.

use super::{Function, Gradient, Operator, Out, Spec, Types, inputs, single, upstream};
use crate::element::Real;
use crate::graph::{Builder, Value};
use crate::kernels::softmax;
use crate::tensor::{View, out};
use crate::{Error, Result};

/// `y = exp(x - max x) / Σ exp(x - max x)`, row by row; with `log` the logarithm of that.
///
/// # Shapes
/// `x: [.., n]` and `y: [.., n]`; each row of `y` sums to 1.
///
/// # Errors
/// [`Error::Op`] for a rank of 0.
///
/// # Source
/// `keras.ops.softmax(x, axis=-1)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Softmax {
    pub(crate) log: bool,
}

impl Operator for Softmax {
    const NAME: &'static str = "softmax";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if x.shape.is_empty() {
            return Err(Error::op(Self::NAME, "a scalar has no axis"));
        }
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        floats!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        _x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let (y, dy) = (y[0], upstream(Self::NAME, dy)?);
        let last = b.rank(y) - 1;
        if self.log {
            let sum = b.sum(dy, &[last], true)?;
            let y = b.unary(Function::Exp, y)?;
            let share = b.mul(y, sum)?;
            return Ok(vec![Some(b.sub(dy, share)?)]);
        }
        let product = b.mul(y, dy)?;
        let sum = b.sum(product, &[last], true)?;
        let rest = b.sub(dy, sum)?;
        Ok(vec![Some(b.mul(y, rest)?)])
    }
}

impl Softmax {
    fn run<T: Real>(self, x: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let n = x.shape.last().copied().unwrap_or(1).max(1);
        let x = x.of::<T>(Self::NAME)?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        y.copy_from_slice(x);
        if let Some(y) = T::singles(y) {
            softmax(y, n, self.log);
            return Ok(());
        }
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            let largest = x.iter().copied().fold(T::LOWEST, |a, b| if b > a { b } else { a });
            let mut sum = T::zero();
            for (x, y) in x.iter().zip(&mut *y) {
                let e = (*x - largest).exp();
                *y = if self.log { *x - largest } else { e };
                sum += e;
            }
            if self.log {
                let log = sum.ln();
                y.iter_mut().for_each(|y| *y -= log);
            } else {
                let scale = sum.recip();
                y.iter_mut().for_each(|y| *y *= scale);
            }
        }
        Ok(())
    }
}

#[test]
fn rows_sum_to_one() {
    let x = crate::Tensor::new([2, 2], vec![0.0_f32, 0.0, 1000.0, -1000.0]).unwrap();
    let y = super::run(Softmax { log: false }, &[x]).unwrap();
    assert_eq!(y.as_slice::<f32>().unwrap(), [0.5, 0.5, 1.0, 0.0]);
}

#[test]
fn gradient_is_the_slope() {
    for log in [false, true] {
        super::check_gradient(Softmax { log }, &[super::some_numbers(&[2, 3], 0)]);
    }
}
