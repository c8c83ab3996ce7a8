//! Many elements become one.

use super::{Operator, Out, Spec, Types, inputs, single, size};
use crate::element::Number;
use crate::tensor::{View, out};
use crate::{Error, Result};

/// How elements become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    Sum,
    Mean,
    Prod,
    Max,
    Min,
}

/// The elements along some axes as one.
///
/// # Shapes
/// `x` to its shape without `axes` (with length 1 there if `keepdims`).
///
/// # Errors
/// [`Error::Op`] for the largest or smallest of nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reduce {
    pub(crate) reduction: Reduction,
    /// Counted from the front, in rising order.
    pub(crate) axes: Vec<usize>,
    pub(crate) keepdims: bool,
}

/// The shape without some axes.
pub(super) fn reduced(shape: &[usize], axes: &[usize], keepdims: bool) -> Vec<usize> {
    let dims = shape.iter().enumerate();
    if keepdims {
        return dims.map(|(i, n)| if axes.contains(&i) { 1 } else { *n }).collect();
    }
    dims.filter(|(i, _)| !axes.contains(i)).map(|(_, n)| *n).collect()
}

impl Operator for Reduce {
    const NAME: &'static str = "reduce";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if self.axes.iter().any(|a| *a >= x.shape.len()) {
            return Err(Error::op(
                Self::NAME,
                format!("{:?} has no axes {:?}", x.shape, self.axes),
            ));
        }
        let empty = self.axes.iter().any(|a| x.shape[*a] == 0);
        if empty && matches!(self.reduction, Reduction::Max | Reduction::Min) {
            return Err(Error::op(Self::NAME, format!("{:?} has no largest element", x.shape)));
        }
        Ok(vec![Spec::new(reduced(&x.shape, &self.axes, self.keepdims), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        numbers!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }
}

impl Reduce {
    fn run<T: Number>(&self, x: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let y = out::<T>(&mut y.data, Self::NAME)?;
        let (start, f): (T, fn(T, T) -> T) = match self.reduction {
            Reduction::Sum | Reduction::Mean => (T::zero(), T::plus),
            Reduction::Prod => (T::one(), T::times),
            Reduction::Max => (T::LOWEST, |a, b| if a > b || a.not_a_number() { a } else { b }),
            Reduction::Min => (T::HIGHEST, |a, b| if a < b || a.not_a_number() { a } else { b }),
        };
        let shape = x.shape;
        let x = x.of::<T>(Self::NAME)?;
        y.fill(start);
        // Neighbouring axes that are both kept or both not are one.
        let mut blocks: Vec<(usize, bool)> = Vec::new();
        for (i, n) in shape.iter().enumerate() {
            let gone = self.axes.contains(&i);
            match blocks.last_mut() {
                Some((len, same)) if *same == gone => *len *= n,
                _ => blocks.push((*n, gone)),
            }
        }
        fold(&blocks, x, y, f);
        if self.reduction == Reduction::Mean {
            let count = self.axes.iter().map(|a| shape[*a]).product::<usize>();
            let count = <T as num_traits::NumCast>::from(count).unwrap_or_else(T::one);
            y.iter_mut().for_each(|y| *y = y.divide(count));
        }
        Ok(())
    }
}

/// Adds `x`, whose axes are `blocks`, to `y`, which lacks those that go.
fn fold<T: Number>(blocks: &[(usize, bool)], x: &[T], y: &mut [T], f: fn(T, T) -> T) {
    match blocks {
        [] => y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*y, *x)),
        [(_, false)] => y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*y, *x)),
        [(_, true)] => {
            if let Some(y) = y.first_mut() {
                *y = f(*y, pairwise(x, f).unwrap_or(*y));
                if x.is_empty() {}
            }
        }
        [(n, gone), rest @ ..] => {
            let from = size(&rest.iter().map(|b| b.0).collect::<Vec<_>>());
            let to = rest.iter().filter(|b| !b.1).map(|b| b.0).product::<usize>();
            for i in 0..*n {
                let y = if *gone { &mut *y } else { &mut y[i * to..(i + 1) * to] };
                fold(rest, &x[i * from..(i + 1) * from], y, f);
            }
        }
    }
}

/// Folds halves apart, so that rounding errors of sums stay small.
fn pairwise<T: Number>(x: &[T], f: fn(T, T) -> T) -> Option<T> {
    if x.len() <= 64 {
        return x.iter().copied().reduce(f);
    }
    let (a, b) = x.split_at(x.len() / 2);
    Some(f(pairwise(a, f)?, pairwise(b, f)?))
}

#[test]
fn along_axes() {
    let x = crate::Tensor::new([2, 2, 2], (1..=8).map(|n| n as f32).collect::<Vec<_>>()).unwrap();
    let reduce = |axes: &[usize], reduction| {
        let op = Reduce { reduction, axes: axes.to_vec(), keepdims: false };
        let y = super::run(op, std::slice::from_ref(&x)).unwrap();
        y.as_slice::<f32>().unwrap().to_vec()
    };
    assert_eq!(reduce(&[0, 2], Reduction::Sum), [14.0, 22.0]);
    assert_eq!(reduce(&[1], Reduction::Max), [3.0, 4.0, 7.0, 8.0]);
    assert_eq!(reduce(&[0, 1, 2], Reduction::Mean), [4.5]);
}
