//! Rows with mean 0 and variance 1.

use super::{Gradient, Operator, Out, Spec, Types, inputs, no_gradient, single, upstream};
use crate::element::Real;
use crate::graph::{Builder, Value};
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

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let dy = upstream(Self::NAME, dy)?;
        let n = b.rank(x[0]).saturating_sub(1);
        let outer: Vec<usize> = (0..n).collect();
        let (gamma, rest) = match (self.scale, x) {
            (true, [_, gamma, ..]) => (Some(*gamma), 2),
            _ => (None, 1),
        };
        let scaled = gamma.map_or(Ok(dy), |gamma| b.mul(dy, gamma))?;
        let made = b.ops(NormalizeGradient { epsilon: self.epsilon }, &[x[0], scaled])?;
        let mut dx = vec![Some(made[0])];
        if gamma.is_some() {
            let each = b.mul(dy, made[1])?;
            dx.push(Some(b.sum(each, &outer, false)?));
        }
        if x.len() > rest {
            dx.push(Some(b.sum(dy, &outer, false)?));
        }
        Ok(dx)
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

/// The gradient of [`Normalize`] without scale and centre, and its result again: what reaches the
/// scale is that times what reaches the rows.
///
/// # Shapes
/// `x` and `dy: [.., n]` to two of the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NormalizeGradient {
    pub(crate) epsilon: f64,
}

impl Operator for NormalizeGradient {
    const NAME: &'static str = "normalize_gradient";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, dy] = inputs(Self::NAME, x)?;
        if x != dy || x.shape.is_empty() {
            return Err(Error::op(Self::NAME, format!("{x:?} and {dy:?} differ")));
        }
        Ok(vec![x.clone(), x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x, dy], [dx, y]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has two outputs"));
        };
        let n = x.shape.last().copied().unwrap_or(1).max(1);
        floats!(x.data.dtype(), Self::NAME, T => {
            let epsilon = <T as num_traits::NumCast>::from(self.epsilon).unwrap_or(0.0);
            let count = n as T;
            let x = x.of::<T>(Self::NAME)?.chunks_exact(n);
            let dy = dy.of::<T>(Self::NAME)?.chunks_exact(n);
            let dx = out::<T>(&mut dx.data, Self::NAME)?.chunks_exact_mut(n);
            let y = out::<T>(&mut y.data, Self::NAME)?.chunks_exact_mut(n);
            for ((x, dy), (dx, y)) in x.zip(dy).zip(dx.zip(y)) {
                dispatch_loop(RowGradient { x, dy, epsilon, count, dx, y });
            }
            Ok(())
        })
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        _x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        no_gradient(Self::NAME)
    }
}

struct RowGradient<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    epsilon: T,
    count: T,
    dx: &'a mut [T],
    y: &'a mut [T],
}

impl<T: Real> PlainLoop for RowGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, dy, epsilon, count, dx, y } = self;
        let mean = sum(x, |x| x) / count;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
        let scale = (variance + epsilon).sqrt().recip();
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - mean) * scale);
        // What goes along the mean and along `y` moves neither.
        let along_mean = sum(dy, |d| d) / count;
        dx.iter_mut().zip(dy).zip(&*y).for_each(|((dx, d), y)| *dx = *d * *y);
        let along_y = sum(dx, |d| d) / count;
        for ((dx, d), y) in dx.iter_mut().zip(dy).zip(&*y) {
            *dx = (*d - along_mean - *y * along_y) * scale;
        }
    }
}

#[test]
fn rows_have_mean_0_and_variance_1() {
    let x = crate::Tensor::new([2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 4.0, 4.0]).unwrap();
    let row = |v: [f32; 3]| crate::Tensor::new([3], v.to_vec()).unwrap();
    let op = Normalize { epsilon: 1.0 / 3.0, scale: true, centre: true };
    let y = super::run(op, &[x, row([1.0, 1.0, 2.0]), row([0.5, 0.0, 0.0])]).unwrap();
    assert_eq!(y.as_slice::<f32>().unwrap(), [-0.5, 0.0, 2.0, 0.5, 0.0, 0.0]);
}

#[test]
fn gradient_is_the_slope() {
    let row = super::some_numbers(&[4], 3);
    for (scale, centre) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut x = vec![super::some_numbers(&[2, 3, 4], 0)];
        x.resize(1 + usize::from(scale) + usize::from(centre), row.clone());
        super::check_gradient(Normalize { epsilon: 0.01, scale, centre }, &x);
    }
}
