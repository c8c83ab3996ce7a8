//! Many elements become one.

use smallvec::SmallVec;

use super::{Gradient, Operator, Out, Relation, Spec, Types, inputs, single, size, upstream};
use crate::element::Number;
use crate::graph::{Builder, Value};
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

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let (dy, shape) = (upstream(Self::NAME, dy)?, b.shape(x[0]).to_vec());
        let wide = reduced(&shape, &self.axes, true);
        let dy = b.reshape(dy, wide.clone())?;
        let count: usize = self.axes.iter().map(|a| shape[*a]).product();
        let dx = match self.reduction {
            Reduction::Sum => b.broadcast_to(dy, shape)?,
            Reduction::Mean => {
                let share = b.scale(dy, 1.0 / count.max(1) as f64)?;
                b.broadcast_to(share, shape)?
            }
            // Equal ones share it.
            Reduction::Max | Reduction::Min => {
                let y = b.reshape(y[0], wide)?;
                let hit = b.compare(Relation::Equal, x[0], y)?;
                let hit = b.cast(hit, b.dtype(dy))?;
                let hits = b.sum(hit, &self.axes, true)?;
                let share = b.div(dy, hits)?;
                b.mul(hit, share)?
            }
            Reduction::Prod => {
                let others = product_of_others(b, x[0], &self.axes)?;
                b.mul(others, dy)?
            }
        };
        Ok(vec![Some(dx)])
    }
}

/// For each element the product of the others that become one with it, right for zeros too.
fn product_of_others(b: &mut Builder<'_>, x: Value, axes: &[usize]) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let kept = (0..shape.len()).filter(|a| !axes.contains(a));
    let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
    let moved = b.transpose(x, order.clone())?;
    let wide = b.shape(moved).to_vec();
    let n: usize = axes.iter().map(|a| shape[*a]).product();
    let rows = b.reshape(moved, [size(&shape).checked_div(n).unwrap_or(0), n])?;
    // Those before an element: all products shifted by one.
    let before = |b: &mut Builder<'_>, rows: Value| {
        let one = b.scalar(1.0, b.dtype(rows))?;
        let one = b.broadcast_to(one, [b.shape(rows)[0], n.min(1)])?;
        let rest = b.slice(rows, 1, 0, n.saturating_sub(1))?;
        let shifted = b.concat(&[one, rest], 1)?;
        b.cumulative(shifted, 1, true)
    };
    let first = before(b, rows)?;
    let turned = b.flip(rows, 1)?;
    let behind = before(b, turned)?;
    let behind = b.flip(behind, 1)?;
    let product = b.mul(first, behind)?;
    let product = b.reshape(product, wide)?;
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, from)| back[*from] = to);
    b.transpose(product, back)
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

#[test]
fn gradient_is_the_slope() {
    use Reduction::{Max, Mean, Min, Prod, Sum};
    for reduction in [Sum, Mean, Prod, Max, Min] {
        for (axes, keepdims) in [(vec![0, 2], false), (vec![1], true)] {
            let op = Reduce { reduction, axes, keepdims };
            super::check_gradient(op, &[super::some_numbers(&[2, 3, 2], 0)]);
        }
    }
    // A zero leaves the product of the others.
    let x = crate::Tensor::new([4], vec![2.0_f64, 0.0, 3.0, 0.5]).unwrap();
    super::check_gradient(Reduce { reduction: Prod, axes: vec![0], keepdims: false }, &[x]);
}
