//! Convolutions of each channel by itself.

use keras_model::DType;

use super::finish::{Finish, Operands};
use super::window::{Cube, Window, inner};
use super::{Operator, Out, Spec, Types, single, size};
use crate::element::Real;
use crate::kernels::{Combine, Run, parallel, slide};
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
