//! Elements written to places that are given.

use super::{Operator, Out, Spec, Types, inputs, single, size};
use crate::element::Number;
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
