//! Rows with mean 0 and variance 1.

use super::{Operator, Out, Spec, Types, single};
use crate::element::Real;
use crate::kernels::{PlainLoop, dispatch_loop, parallel};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// `y = (x - mean x) / √(var x + epsilon) · gamma + beta`, row by row.
///
/// # Shapes
/// `x: [.., n]`, with `scale` a `gamma: [n]`, with `centre` a `beta: [n]`, to the shape of `x`.
///
/// # Source
/// `LayerNormalization.call`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Normalize {
    pub(crate) epsilon: f64,
    pub(crate) scale: bool,
    pub(crate) centre: bool,
}

impl Operator for Normalize {
    const NAME: &'static str = "normalize";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let count = 1 + usize::from(self.scale) + usize::from(self.centre);
        let fits = |first: &Spec| {
            let row = first.shape.last().map(|n| Spec::new([*n], first.dtype));
            x.len() == count && row.is_some_and(|row| x[1..].iter().all(|s| *s == row))
        };
        match x.first() {
            Some(first) if fits(first) => Ok(vec![first.clone()]),
            _ => {
                Err(Error::op(Self::NAME, "takes rows and, for each column, a scale and a centre"))
            }
        }
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let y = single(Self::NAME, y)?;
        floats!(x[0].data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }
}

/// Numbers that one thread normalises in one go.
const BLOCK: usize = 1 << 14;

impl Normalize {
    fn run<T: Real>(self, x: &[View<'_>], y: &mut Out<'_>) -> Result<()> {
        let n = x[0].shape.last().copied().unwrap_or(1).max(1);
        let weight = |at: usize| x.get(at).map(|v| v.of::<T>(Self::NAME)).transpose();
        let gamma = if self.scale { weight(1)? } else { None };
        let beta = if self.centre { weight(1 + usize::from(self.scale))? } else { None };
        let x = x[0].of::<T>(Self::NAME)?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        let epsilon = <T as num_traits::NumCast>::from(self.epsilon).unwrap_or_else(T::zero);
        let count = <T as num_traits::NumCast>::from(n).unwrap_or_else(T::one);
        let block = (BLOCK / n).max(1) * n;
        let work = 8 * y.len();
        parallel::chunks(y, block, work, |i, y| {
            let x = x[i * block..].chunks_exact(n);
            for (x, y) in x.zip(y.chunks_exact_mut(n)) {
                dispatch_loop(Row { x, gamma, beta, epsilon, count, y });
            }
        });
        Ok(())
    }
}

struct Row<'a, T> {
    x: &'a [T],
    gamma: Option<&'a [T]>,
    beta: Option<&'a [T]>,
    epsilon: T,
    count: T,
    y: &'a mut [T],
}

impl<T: Real> PlainLoop for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, gamma, beta, epsilon, count, y } = self;
        let mean = sum(x, |x| x) / count;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
        let scale = (variance + epsilon).sqrt().recip();
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - mean) * scale);
        if let Some(gamma) = gamma {
            y.iter_mut().zip(gamma).for_each(|(y, g)| *y *= *g);
        }
        if let Some(beta) = beta {
            y.iter_mut().zip(beta).for_each(|(y, b)| *y += *b);
        }
    }
}

/// `Σ f(x)`, in several lanes at once.
#[inline(always)]
fn sum<T: Real>(x: &[T], f: impl Fn(T) -> T) -> T {
    const LANES: usize = 16;
    let (pieces, rest) = x.as_chunks::<LANES>();
    let mut lanes = [T::zero(); LANES];
    for piece in pieces {
        for (lane, x) in lanes.iter_mut().zip(piece) {
            *lane += f(*x);
        }
    }
    lanes.into_iter().chain(rest.iter().map(|x| f(*x))).fold(T::zero(), |a, b| a + b)
}

#[test]
fn rows_have_mean_0_and_variance_1() {
    let x = crate::Tensor::new([2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 4.0, 4.0]).unwrap();
    let row = |v: [f32; 3]| crate::Tensor::new([3], v.to_vec()).unwrap();
    let op = Normalize { epsilon: 1.0 / 3.0, scale: true, centre: true };
    let y = super::run(op, &[x, row([1.0, 1.0, 2.0]), row([0.5, 0.0, 0.0])]).unwrap();
    assert_eq!(y.as_slice::<f32>().unwrap(), [-0.5, 0.0, 2.0, 0.5, 0.0, 0.0]);
}
