//! Windows of a tensor as one element each.

use keras_model::DType;

use super::window::{Cube, Window, inner};
use super::{Operator, Out, Spec, Types, inputs, single, size};
use crate::element::Number;
use crate::kernels::{Combine, Run, parallel, slide};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// How the elements of a window become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    Max,
    /// The mean of those inside.
    Average,
}

/// The largest or the mean of each window; places outside of `x` do not count.
///
/// # Shapes
/// `x: [batch, spatial.., channels]` to `[batch, windows.., channels]`.
///
/// # Source
/// `keras.ops.max_pool` and `average_pool`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pool {
    pub(crate) window: Window,
    pub(crate) kind: PoolKind,
}

impl Operator for Pool {
    const NAME: &'static str = "pool";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let &[batch, ref spatial @ .., channels] = x.shape.as_slice() else {
            return Err(Error::op(Self::NAME, format!("{:?} has no spatial axes", x.shape)));
        };
        let spatial = self.window.output(Self::NAME, spatial)?;
        Ok(vec![Spec::new([&[batch], &spatial[..], &[channels]].concat(), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let cube = self.window.cube(inner(x.shape), inner(y.shape));
        if x.data.dtype() == DType::Float32 {
            return self.slide(x, &cube, y);
        }
        numbers!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, &cube, y))
    }
}

impl Pool {
    fn slide(&self, x: &View<'_>, cube: &Cube, y: &mut Out<'_>) -> Result<()> {
        let channels = x.shape.last().copied().unwrap_or(0).max(1);
        let x = x.of::<f32>(Self::NAME)?;
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        let (step, block) = (cube.strides[2] * channels, cube.output[2] * channels);
        let combine = match self.kind {
            PoolKind::Max => Combine::Max,
            PoolKind::Average => Combine::Mean,
        };
        let work = y.len() * cube.taps();
        parallel::chunks(y, block, work, |row, y| {
            cube.each_run(row, |outputs, taps| {
                taps.iter_mut().for_each(|(position, _)| *position *= channels);
                let y = &mut y[outputs.start * channels..outputs.end * channels];
                slide(x, Run { taps, step, channels }, combine, y);
            });
        });
        Ok(())
    }

    fn run<T: Number>(&self, x: &View<'_>, cube: &Cube, y: &mut Out<'_>) -> Result<()> {
        let channels = x.shape.last().copied().unwrap_or(0).max(1);
        let x = x.of::<T>(Self::NAME)?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        let work = y.len() * cube.taps();
        let block = cube.output[2] * channels;
        parallel::chunks(y, block, work, |block, y| {
            for (i, y) in y.chunks_exact_mut(channels).enumerate() {
                let row = block * cube.output[2] + i;
                let start = row / cube.places() * size(&cube.input);
                let mut count = 0_usize;
                let max = self.kind == PoolKind::Max;
                y.fill(if max { T::LOWEST } else { T::zero() });
                cube.each(row % cube.places(), |_, position| {
                    let x = &x[(start + position) * channels..][..channels];
                    count += 1;
                    if max {
                        for (y, x) in y.iter_mut().zip(x) {
                            *y = if *y > *x || y.not_a_number() { *y } else { *x };
                        }
                    } else {
                        y.iter_mut().zip(x).for_each(|(y, x)| *y = y.plus(*x));
                    }
                });
                if !max {
                    let count = <T as num_traits::NumCast>::from(count).unwrap_or_else(T::one);
                    y.iter_mut().for_each(|y| *y = y.divide(count));
                }
            }
        });
        Ok(())
    }
}
