//! Elements written to places that are given.

use super::{
    Arithmetic, Gradient, Operator, Out, Relation, Spec, Types, inputs, single, size, upstream,
};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// What becomes of an element that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scattering {
    /// The last one stays.
    Set,
    Add,
    Max,
    Min,
    Mul,
}

/// `y = x`, then `y[places[i]] = updates[i]` row by row, or their sum, product...
///
/// # Shapes
/// `x: [n, ..]`, `places: [m]` of `int64`, `updates: [m, ..]` to the shape of `x`. Rows with a
/// negative place are left out if `negative_skips`.
///
/// # Errors
/// [`Error::Value`] for a place that is not in `x`.
///
/// # Source
/// `keras.ops.scatter_update(inputs, indices, updates, reduction)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scatter {
    pub(crate) how: Scattering,
    pub(crate) negative_skips: bool,
}

impl Operator for Scatter {
    const NAME: &'static str = "scatter";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, places, updates] = inputs(Self::NAME, x)?;
        let fits = places.shape.len() == 1
            && places.shape.first() == updates.shape.first()
            && x.shape.get(1..) == updates.shape.get(1..)
            && !x.shape.is_empty()
            && x.dtype == updates.dtype;
        if !fits {
            let reason = format!("{:?} do not fit {:?}", updates.shape, x.shape);
            return Err(Error::op(Self::NAME, reason));
        }
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x, places, updates], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let places = places.of::<i64>(Self::NAME)?;
        numbers!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, places, updates, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let ([x, places, updates], dy) = (*inputs(Self::NAME, x)?, upstream(Self::NAME, dy)?);
        let zero = b.scalar(0.0, b.dtype(dy))?;
        // A row that is left out reads any, and gets nothing.
        let first = b.with_number(Arithmetic::Max, places, 0.0)?;
        let wide = |b: &mut Builder<'_>, rows: Value| {
            let shape = [&[b.shape(rows)[0]], &vec![1; b.rank(dy) - 1][..]].concat();
            b.reshape(rows, shape)
        };
        let is_used = b.compare_number(Relation::GreaterEqual, places, 0.0)?;
        let is_used = wide(b, is_used)?;
        let read = |b: &mut Builder<'_>, from: Value| -> Result<Value> {
            let rows = b.gather(from, first, 0)?;
            if self.negative_skips { b.select(is_used, rows, zero) } else { Ok(rows) }
        };
        match self.how {
            Scattering::Add => Ok(vec![Some(dy), None, Some(read(b, dy)?)]),
            Scattering::Set => {
                let zeros = b.zeros_like(updates)?;
                let dx = b.op(*self, &[dy, places, zeros])?;
                Ok(vec![Some(dx), None, Some(read(b, dy)?)])
            }
            // Equal ones share it.
            Scattering::Max | Scattering::Min => {
                let (dtype, y) = (b.dtype(dy), y[0]);
                let own = b.compare(Relation::Equal, x, y)?;
                let own = b.cast(own, dtype)?;
                let there = read(b, y)?;
                let hit = b.compare(Relation::Equal, updates, there)?;
                let hit = b.cast(hit, dtype)?;
                let hit = if self.negative_skips { b.select(is_used, hit, zero)? } else { hit };
                let hits = b.op(Self { how: Scattering::Add, ..*self }, &[own, places, hit])?;
                let share = b.binary(Arithmetic::DivNoNan, dy, hits)?;
                let dx = b.mul(own, share)?;
                let share = read(b, share)?;
                Ok(vec![Some(dx), None, Some(b.mul(hit, share)?)])
            }
            Scattering::Mul => {
                // The product of the others, where there are zeros too.
                let dtype = b.dtype(dy);
                let one = b.scalar(1.0, dtype)?;
                let is_zero = b.compare_number(Relation::Equal, updates, 0.0)?;
                let others = b.select(is_zero, one, updates)?;
                let ones = b.full(b.shape(x).to_vec(), 1.0, dtype)?;
                let product = b.op(*self, &[ones, places, others])?;
                let (none, count) = (b.zeros_like(x)?, b.cast(is_zero, dtype)?);
                let add = Self { how: Scattering::Add, ..*self };
                let zeros = b.op(add, &[none, places, count])?;
                let without = b.compare_number(Relation::Equal, zeros, 0.0)?;
                let factor = b.select(without, product, zero)?;
                let dx = b.mul(dy, factor)?;
                let along = b.mul(dy, x)?;
                let (along, product, zeros) = (read(b, along)?, read(b, product)?, read(b, zeros)?);
                let rest = b.sub(zeros, count)?;
                let alone = b.compare_number(Relation::Equal, rest, 0.0)?;
                let share = b.div(product, others)?;
                let share = b.select(alone, share, zero)?;
                Ok(vec![Some(dx), None, Some(b.mul(along, share)?)])
            }
        }
    }
}

impl Scatter {
    fn run<T: Number>(
        self,
        x: &View<'_>,
        places: &[i64],
        updates: &View<'_>,
        y: &mut Out<'_>,
    ) -> Result<()> {
        let (n, width) = (x.shape[0], size(&x.shape[1..]));
        let y = out::<T>(&mut y.data, Self::NAME)?;
        y.copy_from_slice(x.of::<T>(Self::NAME)?);
        let updates = updates.of::<T>(Self::NAME)?;
        for (i, place) in places.iter().enumerate() {
            if self.negative_skips && *place < 0 {
                continue;
            }
            let at = usize::try_from(*place).ok().filter(|at| *at < n);
            let at = at.ok_or_else(|| Error::Value(format!("place {place} is not in 0..{n}")))?;
            let row = &updates[i * width..(i + 1) * width];
            for (y, x) in y[at * width..(at + 1) * width].iter_mut().zip(row) {
                *y = match self.how {
                    Scattering::Set => *x,
                    Scattering::Add => y.plus(*x),
                    Scattering::Mul => y.times(*x),
                    Scattering::Max if *x > *y => *x,
                    Scattering::Min if *x < *y => *x,
                    Scattering::Max | Scattering::Min => *y,
                };
            }
        }
        Ok(())
    }
}

#[test]
fn rows_meet_at_their_places() {
    let x = crate::Tensor::new([3, 1], vec![1_i64, 2, 3]).unwrap();
    let updates = crate::Tensor::new([3, 1], vec![10_i64, 20, 30]).unwrap();
    let places = |p: Vec<i64>| crate::Tensor::new([3], p).unwrap();
    let run = |how, skips, p| {
        super::run(Scatter { how, negative_skips: skips }, &[x.clone(), places(p), updates.clone()])
    };
    let y = run(Scattering::Add, true, vec![0, -1, 0]).unwrap();
    assert_eq!(y.as_slice::<i64>().unwrap(), [41, 2, 3]);
    let y = run(Scattering::Set, false, vec![2, 1, 2]).unwrap();
    assert_eq!(y.as_slice::<i64>().unwrap(), [1, 20, 30]);
    assert!(run(Scattering::Set, false, vec![0, 1, 3]).is_err());
}

#[test]
fn gradient_is_the_slope() {
    let (x, updates) = (super::some_numbers(&[3, 2], 0), super::some_numbers(&[3, 2], 3));
    let places = |p: Vec<i64>| crate::Tensor::new([3], p).unwrap();
    for (how, p) in [
        (Scattering::Add, [0, -1, 0]),
        (Scattering::Set, [2, -1, 1]),
        (Scattering::Max, [0, -1, 0]),
        (Scattering::Min, [0, -1, 0]),
        (Scattering::Mul, [0, -1, 0]),
    ] {
        let x = [x.clone(), places(p.to_vec()), updates.clone()];
        super::check_gradient(Scatter { how, negative_skips: true }, &x);
    }
}

#[test]
fn a_zero_leaves_the_product_of_the_others() {
    let tensor = |v: [f64; 4]| crate::Tensor::new([4], v.to_vec()).unwrap();
    let places = crate::Tensor::new([4], vec![0_i64, 0, 1, 1]).unwrap();
    let x = [tensor([1.0, 2.0, 3.0, 4.0]), places, tensor([0.0, 2.0, 0.0, 0.0])];
    super::check_gradient(Scatter { how: Scattering::Mul, negative_skips: false }, &x);
}
