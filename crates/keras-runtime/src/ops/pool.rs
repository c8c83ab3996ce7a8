//! Windows of a tensor as one element each.

use keras_model::DType;

use super::window::{Cube, Window, inner};
use super::{Gradient, Operator, Out, Spec, Types, inputs, no_gradient, single, size, upstream};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::kernels::{Combine, PlainLoop, Run, dispatch_loop, parallel, slide};
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

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let op = PoolGradient { window: self.window.clone(), kind: self.kind };
        Ok(vec![Some(b.op(op, &[x[0], y[0], upstream(Self::NAME, dy)?])?)])
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

/// The gradient of [`Pool`]: of the largest all goes to the first that is as large, of the mean each
/// element gets its share.
///
/// # Shapes
/// `x: [batch, spatial.., channels]`, `y` and `dy: [batch, windows.., channels]` to the shape of `x`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PoolGradient {
    pub(crate) window: Window,
    pub(crate) kind: PoolKind,
}

impl Operator for PoolGradient {
    const NAME: &'static str = "pool_gradient";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, y, dy] = inputs(Self::NAME, x)?;
        let op = Pool { window: self.window.clone(), kind: self.kind };
        if op.output(std::slice::from_ref(x))? != [dy.clone()] || y != dy {
            return Err(Error::op(Self::NAME, format!("{dy:?} does not fit {x:?}")));
        }
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let (x, dx): (&[_; 3], _) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        numbers!(x[0].data.dtype(), Self::NAME, T => self.run::<T>(x, dx))
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

impl PoolGradient {
    fn run<T: Number>(&self, [x, y, dy]: &[View<'_>; 3], dx: &mut Out<'_>) -> Result<()> {
        let cube = self.window.cube(inner(x.shape), inner(dy.shape));
        let channels = x.shape.last().copied().unwrap_or(0).max(1);
        let (x, y) = (x.of::<T>(Self::NAME)?, y.of::<T>(Self::NAME)?);
        let dy = dy.of::<T>(Self::NAME)?;
        let dx = out::<T>(&mut dx.data, Self::NAME)?;
        let image = size(&cube.input) * channels;
        let work = dy.len() * cube.taps();
        parallel::chunks(dx, image, work, |i, dx| {
            dx.fill(T::zero());
            let x = &x[i * image..][..dx.len()];
            // What has found no place yet.
            let mut rest = vec![T::zero(); channels];
            for place in 0..cube.places() {
                let row = (i * cube.places() + place) * channels;
                rest.copy_from_slice(&dy[row..row + channels]);
                if self.kind == PoolKind::Max {
                    let y = &y[row..row + channels];
                    cube.each(place, |_, position| {
                        let at = position * channels..(position + 1) * channels;
                        dispatch_loop(First {
                            x: &x[at.clone()],
                            y,
                            rest: &mut rest,
                            dx: &mut dx[at],
                        });
                    });
                    continue;
                }
                let mut count = 0_usize;
                cube.each(place, |_, _| count += 1);
                let count = <T as num_traits::NumCast>::from(count).unwrap_or_else(T::one);
                rest.iter_mut().for_each(|d| *d = d.divide(count));
                cube.each(place, |_, position| {
                    let dx = &mut dx[position * channels..][..channels];
                    dx.iter_mut().zip(&rest).for_each(|(dx, d)| *dx = dx.plus(*d));
                });
            }
        });
        Ok(())
    }
}

/// Gives what is left to the elements that are as large as the largest.
struct First<'a, T> {
    x: &'a [T],
    y: &'a [T],
    rest: &'a mut [T],
    dx: &'a mut [T],
}

impl<T: Number> PlainLoop for First<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let elements = self.x.iter().zip(self.y).zip(self.rest).zip(self.dx);
        for (((x, y), rest), dx) in elements {
            let given = if x == y { *rest } else { T::zero() };
            *dx = dx.plus(given);
            *rest = if x == y { T::zero() } else { *rest };
        }
    }
}

#[test]
fn gradient_is_the_slope() {
    for kind in [PoolKind::Max, PoolKind::Average] {
        let window = Window {
            size: vec![3, 2],
            strides: vec![2, 1],
            dilation: vec![1, 2],
            borders: vec![(1, 1), (0, 1)],
        };
        super::check_gradient(Pool { window, kind }, &[super::some_numbers(&[2, 5, 4, 2], 0)]);
    }
}

/// As TensorFlow has it.
#[test]
fn of_equal_ones_the_first_gets_all() {
    let window =
        Window { size: vec![2], strides: vec![2], dilation: vec![1], borders: vec![(0, 0)] };
    let x = crate::Tensor::new([1, 4, 1], vec![1.0_f32, 1.0, 0.0, 2.0]).unwrap();
    let dy = crate::Tensor::new([1, 2, 1], vec![5.0_f32, 7.0]).unwrap();
    let y = crate::Tensor::new([1, 2, 1], vec![1.0_f32, 2.0]).unwrap();
    let dx = super::run(PoolGradient { window, kind: PoolKind::Max }, &[x, y, dy]).unwrap();
    assert_eq!(dx.as_slice::<f32>().unwrap(), [5.0, 0.0, 0.0, 7.0]);
}
