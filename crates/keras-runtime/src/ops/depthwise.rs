//! Convolutions of each channel by itself.

use keras_model::DType;

use super::finish::{Finish, Operands};
use super::window::{Cube, Window, inner};
use super::{Gradient, Operator, Out, Spec, Types, inputs, no_gradient, single, size, upstream};
use crate::element::Real;
use crate::graph::{Builder, Value};
use crate::kernels::{Combine, PlainLoop, Run, dispatch_loop, parallel, slide};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// `y = f(x ∗ kernel + bias)`, each channel with `multiplier` kernels of its own.
///
/// # Shapes
/// `x: [batch, spatial.., channels]`, `kernel: [window.., channels, multiplier]`,
/// `bias: [channels · multiplier]` to `[batch, windows.., channels · multiplier]`.
///
/// # Source
/// `keras.ops.depthwise_conv(inputs, kernel, strides, padding, dilation_rate)`, Keras 3.
#[derive(Clone, Debug)]
pub(crate) struct Depthwise {
    pub(crate) window: Window,
    pub(crate) finish: Finish,
}

impl Depthwise {
    pub(crate) fn new(window: Window) -> Self {
        Self { window, finish: Finish::default() }
    }
}

impl Operator for Depthwise {
    const NAME: &'static str = "depthwise_conv";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let Operands { x, weights: kernel, bias, residual } =
            self.finish.operands(Self::NAME, x)?;
        let wrong = || {
            let reason = format!("kernel {:?} does not fit input {:?}", kernel.shape, x.shape);
            Error::op(Self::NAME, reason)
        };
        let (&[batch, ref spatial @ .., channels], &[ref taps @ .., depth, multiplier]) =
            (x.shape.as_slice(), kernel.shape.as_slice())
        else {
            return Err(wrong());
        };
        let filters = channels * multiplier;
        let fits = taps == self.window.size
            && depth == channels
            && x.dtype == kernel.dtype
            && bias.is_none_or(|b| b.shape == [filters] && b.dtype == x.dtype);
        if !fits {
            return Err(wrong());
        }
        let mut shape = vec![batch];
        shape.extend(self.window.output(Self::NAME, spatial)?);
        shape.push(filters);
        let y = Spec::new(shape, x.dtype);
        if residual.is_some_and(|r| *r != y) {
            return Err(wrong());
        }
        Ok(vec![y])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let y = single(Self::NAME, y)?;
        let operands = self.finish.operands(Self::NAME, x)?;
        let cube = self.window.cube(inner(operands.x.shape), inner(y.shape));
        let multiplier = operands.weights.shape.last().copied().unwrap_or(1);
        if operands.x.data.dtype() == DType::Float32 && multiplier == 1 {
            return self.slide(&operands, &cube, y);
        }
        floats!(operands.x.data.dtype(), Self::NAME, T => self.run::<T>(&operands, &cube, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let ([x, kernel], dy) = (*inputs(Self::NAME, x)?, upstream(Self::NAME, dy)?);
        let part = |b: &mut Builder<'_>, wrt, like: Value, other| {
            let shape = b.shape(like).to_vec();
            b.op(DepthwiseGradient { window: self.window.clone(), wrt, shape }, &[other, dy])
        };
        let dx = part(b, Part::Input, x, kernel)?;
        Ok(vec![Some(dx), Some(part(b, Part::Kernel, kernel, x)?)])
    }
}

impl Depthwise {
    /// One output for each channel.
    fn slide<'a>(
        &self,
        operands: &Operands<'a, View<'a>>,
        cube: &Cube,
        y: &mut Out<'_>,
    ) -> Result<()> {
        let [bias, residual] = operands.added(Self::NAME)?;
        let channels = operands.x.shape.last().copied().unwrap_or(0).max(1);
        let x = operands.x.of::<f32>(Self::NAME)?;
        let kernel = operands.weights.of::<f32>(Self::NAME)?;
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        let (step, block) = (cube.strides[2] * channels, cube.output[2] * channels);
        let clamp = self.finish.clamp().filter(|_| residual.is_none());
        let combine = Combine::Weighted {
            kernel,
            bias,
            clamp: clamp.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]),
        };
        let work = y.len() * cube.taps();
        parallel::chunks(y, block, work, |row, y| {
            cube.each_run(row, |outputs, taps| {
                taps.iter_mut().for_each(|(position, _)| *position *= channels);
                let y = &mut y[outputs.start * channels..outputs.end * channels];
                slide(x, Run { taps, step, channels }, combine, y);
            });
            if clamp.is_none() {
                let residual = residual.map(|r| &r[row * block..(row + 1) * block]);
                self.finish.apply(None, residual, y);
            }
        });
        Ok(())
    }

    fn run<'a, T: Real>(
        &self,
        operands: &Operands<'a, View<'a>>,
        cube: &Cube,
        y: &mut Out<'_>,
    ) -> Result<()> {
        let Operands { x, weights: kernel, .. } = *operands;
        let channels = x.shape.last().copied().unwrap_or(0);
        let multiplier = kernel.shape.last().copied().unwrap_or(1).max(1);
        let filters = channels * multiplier;
        let (x, kernel) = (x.of::<T>(Self::NAME)?, kernel.of::<T>(Self::NAME)?);
        let [bias, residual] = operands.added::<T>(Self::NAME)?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        let work = y.len() * cube.taps();
        // One row of windows at a time.
        let block = cube.output[2] * filters;
        parallel::chunks(y, block, work, |block, y| {
            for (i, y) in y.chunks_exact_mut(filters.max(1)).enumerate() {
                let row = block * cube.output[2] + i;
                y.fill(T::zero());
                let start = row / cube.places() * size(&cube.input);
                cube.each(row % cube.places(), |tap, position| {
                    let x = &x[(start + position) * channels..][..channels];
                    let kernel = &kernel[tap * filters..][..filters];
                    let groups = y.chunks_exact_mut(multiplier).zip(x);
                    for ((y, x), k) in groups.zip(kernel.chunks_exact(multiplier)) {
                        y.iter_mut().zip(k).for_each(|(y, k)| *y += *x * *k);
                    }
                });
                let residual = residual.map(|r| &r[row * filters..(row + 1) * filters]);
                self.finish.apply(bias, residual, y);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
use super::unary::Function;

/// To which of its inputs a gradient goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Input,
    Kernel,
}

/// The gradient of [`Depthwise`] to its input or its kernel.
///
/// # Shapes
/// The other one of both and `dy: [batch, windows.., channels · multiplier]` to `shape`.
#[derive(Clone, Debug)]
pub(crate) struct DepthwiseGradient {
    pub(crate) window: Window,
    pub(crate) wrt: Part,
    pub(crate) shape: Vec<usize>,
}

impl Operator for DepthwiseGradient {
    const NAME: &'static str = "depthwise_conv_gradient";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [other, dy] = inputs(Self::NAME, x)?;
        let own = Spec::new(self.shape.clone(), other.dtype);
        let both = match self.wrt {
            Part::Input => [own.clone(), other.clone()],
            Part::Kernel => [other.clone(), own.clone()],
        };
        if Depthwise::new(self.window.clone()).output(&both)? != [dy.clone()] {
            return Err(Error::op(Self::NAME, format!("{dy:?} does not fit {other:?}")));
        }
        Ok(vec![own])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([other, dy], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let image = if self.wrt == Part::Input { y.shape } else { other.shape };
        let cube = self.window.cube(inner(image), inner(dy.shape));
        let channels = image.last().copied().unwrap_or(0).max(1);
        floats!(dy.data.dtype(), Self::NAME, T => {
            let (other, dy) = (other.of::<T>(Self::NAME)?, dy.of::<T>(Self::NAME)?);
            let y = out::<T>(&mut y.data, Self::NAME)?;
            match self.wrt {
                Part::Input => to_input(other, dy, &cube, channels, y),
                Part::Kernel => to_kernel(other, dy, &cube, channels, y),
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

/// `to += a · b`
struct AddProducts<'a, T> {
    a: &'a [T],
    b: &'a [T],
    to: &'a mut [T],
}

impl<T: Real> PlainLoop for AddProducts<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let products = self.a.iter().zip(self.b);
        self.to.iter_mut().zip(products).for_each(|(to, (a, b))| *to += *a * *b);
    }
}

fn to_input<T: Real>(kernel: &[T], dy: &[T], cube: &Cube, channels: usize, dx: &mut [T]) {
    let filters = kernel.len() / cube.taps().max(1);
    let multiplier = (filters / channels).max(1);
    let work = dy.len() * cube.taps();
    parallel::chunks(dx, size(&cube.input) * channels, work, |image, dx| {
        dx.fill(T::zero());
        for place in 0..cube.places() {
            let dy = &dy[(image * cube.places() + place) * filters..][..filters];
            cube.each(place, |tap, position| {
                let dx = &mut dx[position * channels..][..channels];
                let kernel = &kernel[tap * filters..][..filters];
                if multiplier == 1 {
                    dispatch_loop(AddProducts { a: dy, b: kernel, to: dx });
                    return;
                }
                let groups = dy.chunks_exact(multiplier).zip(kernel.chunks_exact(multiplier));
                for (dx, (dy, kernel)) in dx.iter_mut().zip(groups) {
                    dy.iter().zip(kernel).for_each(|(d, k)| *dx += *d * *k);
                }
            });
        }
    });
}

fn to_kernel<T: Real>(x: &[T], dy: &[T], cube: &Cube, channels: usize, dk: &mut [T]) {
    let filters = dk.len() / cube.taps().max(1);
    let multiplier = (filters / channels).max(1);
    dk.fill(T::zero());
    for (row, dy) in dy.chunks_exact(filters.max(1)).enumerate() {
        let start = row / cube.places() * size(&cube.input);
        cube.each(row % cube.places(), |tap, position| {
            let x = &x[(start + position) * channels..][..channels];
            let dk = &mut dk[tap * filters..][..filters];
            if multiplier == 1 {
                dispatch_loop(AddProducts { a: dy, b: x, to: dk });
                return;
            }
            let groups = dk.chunks_exact_mut(multiplier).zip(dy.chunks_exact(multiplier));
            for ((dk, dy), x) in groups.zip(x) {
                dk.iter_mut().zip(dy).for_each(|(k, d)| *k += *d * *x);
            }
        });
    }
}

#[test]
fn borders_and_functions() {
    // A window of 3 with one place of border and steps of 2: sums of neighbours, 40 at most.
    let window =
        Window { size: vec![3], strides: vec![2], dilation: vec![1], borders: vec![(1, 1)] };
    let x = crate::Tensor::new([1, 3, 2], vec![1.0_f32, 10.0, 2.0, 20.0, 3.0, 30.0]).unwrap();
    let kernel = crate::Tensor::new([3, 2, 1], vec![1.0_f32; 6]).unwrap();
    let mut op = Depthwise::new(window);
    op.finish.function = Some(Function::Clip(0.0, 40.0));
    let y = super::run(op, &[x, kernel]).unwrap();
    assert_eq!(y.as_slice::<f32>().unwrap(), [3.0, 30.0, 5.0, 40.0]);
}

#[test]
fn gradient_is_the_slope() {
    let window = Window {
        size: vec![3, 2],
        strides: vec![2, 1],
        dilation: vec![1, 2],
        borders: vec![(1, 1), (0, 1)],
    };
    for multiplier in [1, 3] {
        let x = super::some_numbers(&[2, 5, 4, 2], 0);
        let kernel = super::some_numbers(&[3, 2, 2, multiplier], 3);
        super::check_gradient(Depthwise::new(window.clone()), &[x, kernel]);
    }
}
