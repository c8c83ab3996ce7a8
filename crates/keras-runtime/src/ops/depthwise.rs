//! Convolutions of each channel by itself.

use super::unary::{Function, apply};
use super::window::{Cube, Window};
use super::{Operator, Out, Spec, Types, single, size};
use crate::element::Real;
use crate::kernels::parallel;
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
    /// Done with each element before it is written.
    pub(crate) function: Option<Function>,
}

impl Operator for Depthwise {
    const NAME: &'static str = "depthwise_conv";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let (x, kernel, bias) = match x {
            [x, kernel] => (x, kernel, None),
            [x, kernel, bias] => (x, kernel, Some(bias)),
            _ => return Err(Error::op(Self::NAME, "takes an input, a kernel and maybe a bias")),
        };
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
        Ok(vec![Spec::new(shape, x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let y = single(Self::NAME, y)?;
        let inner = |s: &[usize]| s[1..s.len() - 1].to_vec();
        let cube = self.window.cube(&inner(x[0].shape), &inner(y.shape));
        floats!(x[0].data.dtype(), Self::NAME, T => {
            self.run::<T>(x[0], x[1], x.get(2), &cube, y)
        })
    }
}

impl Depthwise {
    fn run<T: Real>(
        &self,
        x: View<'_>,
        kernel: View<'_>,
        bias: Option<&View<'_>>,
        cube: &Cube,
        y: &mut Out<'_>,
    ) -> Result<()> {
        let channels = x.shape.last().copied().unwrap_or(0);
        let multiplier = kernel.shape.last().copied().unwrap_or(1).max(1);
        let filters = channels * multiplier;
        let (x, kernel) = (x.of::<T>(Self::NAME)?, kernel.of::<T>(Self::NAME)?);
        let bias = bias.map(|b| b.of::<T>(Self::NAME)).transpose()?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        let work = y.len() * cube.taps();
        // One row of windows at a time.
        let block = cube.output[2] * filters;
        parallel::chunks(y, block, work, |block, y| {
            for (i, y) in y.chunks_exact_mut(filters.max(1)).enumerate() {
                let row = block * cube.output[2] + i;
                match bias {
                    Some(bias) => y.copy_from_slice(bias),
                    None => y.fill(T::zero()),
                }
                let start = row / cube.places() * size(&cube.input);
                cube.each(row % cube.places(), |tap, position| {
                    let x = &x[(start + position) * channels..][..channels];
                    let kernel = &kernel[tap * filters..][..filters];
                    if multiplier == 1 {
                        for ((y, x), k) in y.iter_mut().zip(x).zip(kernel) {
                            *y += *x * *k;
                        }
                        return;
                    }
                    let groups = y.chunks_exact_mut(multiplier).zip(x);
                    for ((y, x), k) in groups.zip(kernel.chunks_exact(multiplier)) {
                        y.iter_mut().zip(k).for_each(|(y, k)| *y += *x * *k);
                    }
                });
                if let Some(function) = &self.function {
                    apply(function, y);
                }
            }
        });
        Ok(())
    }
}
