//! Many elements become one.

use smallvec::SmallVec;

use super::{Operator, Out, Spec, Types, inputs, single};
use crate::element::Number;
use crate::kernels::{PlainLoop, dispatch_loop};
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
        let shape = x.shape;
        let x = x.of::<T>(Self::NAME)?;
        // Neighbouring axes that are both kept or both not are one.
        let mut blocks: SmallVec<[(usize, bool); 8]> = SmallVec::new();
        for (i, n) in shape.iter().enumerate() {
            let gone = self.axes.contains(&i);
            match blocks.last_mut() {
                Some((len, same)) if *same == gone => *len *= n,
                _ => blocks.push((*n, gone)),
            }
        }
        let larger = |a: T, b: T| if a > b || a.not_a_number() { a } else { b };
        let smaller = |a: T, b: T| if a < b || a.not_a_number() { a } else { b };
        match self.reduction {
            Reduction::Sum | Reduction::Mean => fold(&blocks, x, y, T::zero(), T::plus),
            Reduction::Prod => fold(&blocks, x, y, T::one(), T::times),
            Reduction::Max => fold(&blocks, x, y, T::LOWEST, larger),
            Reduction::Min => fold(&blocks, x, y, T::HIGHEST, smaller),
        }
        if self.reduction == Reduction::Mean {
            let count = self.axes.iter().map(|a| shape[*a]).product::<usize>();
            let count = <T as num_traits::NumCast>::from(count).unwrap_or_else(T::one);
            y.iter_mut().for_each(|y| *y = y.divide(count));
        }
        Ok(())
    }
}

/// Folds `x`, whose axes are `blocks`, into `y`, which lacks those that go.
fn fold<T: Number, F: Fn(T, T) -> T + Copy>(
    blocks: &[(usize, bool)],
    x: &[T],
    y: &mut [T],
    start: T,
    f: F,
) {
    y.fill(start);
    into(blocks, x, y, start, f);
}

fn into<T: Number, F: Fn(T, T) -> T + Copy>(
    blocks: &[(usize, bool)],
    x: &[T],
    y: &mut [T],
    start: T,
    f: F,
) {
    match blocks {
        [] | [(_, false)] | [(_, true), (_, false)] => dispatch_loop(FoldRows { x, y, f }),
        [(_, true)] => {
            if let Some(y) = y.first_mut() {
                *y = f(*y, pairwise(x, start, f));
            }
        }
        [(n, gone), rest @ ..] => {
            let from = rest.iter().map(|b| b.0).product::<usize>();
            let to = rest.iter().filter(|b| !b.1).map(|b| b.0).product::<usize>();
            for i in 0..*n {
                let y = if *gone { &mut *y } else { &mut y[i * to..(i + 1) * to] };
                into(rest, &x[i * from..(i + 1) * from], y, start, f);
            }
        }
    }
}

/// Folds the rows of `x`, as long as `y`, into `y`.
struct FoldRows<'a, T, F> {
    x: &'a [T],
    y: &'a mut [T],
    f: F,
}

impl<T: Number, F: Fn(T, T) -> T> PlainLoop for FoldRows<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.x.chunks_exact(self.y.len().max(1)) {
            for (y, x) in self.y.iter_mut().zip(row) {
                *y = (self.f)(*y, *x);
            }
        }
    }
}

/// Elements that are folded one after the other, in several lanes at once.
const PIECE: usize = 1024;

/// Folds halves apart, so that rounding errors of sums stay small.
fn pairwise<T: Number, F: Fn(T, T) -> T + Copy>(x: &[T], start: T, f: F) -> T {
    if x.len() <= PIECE {
        return dispatch_loop(FoldPiece { x, start, f });
    }
    let (a, b) = x.split_at((x.len() / 2).next_multiple_of(PIECE).min(x.len()));
    f(pairwise(a, start, f), pairwise(b, start, f))
}

struct FoldPiece<'a, T, F> {
    x: &'a [T],
    start: T,
    f: F,
}

impl<T: Number, F: Fn(T, T) -> T> PlainLoop for FoldPiece<'_, T, F> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        const LANES: usize = 16;
        let (pieces, rest) = self.x.as_chunks::<LANES>();
        let mut lanes = [self.start; LANES];
        for piece in pieces {
            for (lane, x) in lanes.iter_mut().zip(piece) {
                *lane = (self.f)(*lane, *x);
            }
        }
        lanes.into_iter().chain(rest.iter().copied()).fold(self.start, self.f)
    }
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
