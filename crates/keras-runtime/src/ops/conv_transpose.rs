//! Transposed convolutions.

use super::window::{Window, inner};
use super::{Operator, Out, Spec, Types, inputs, single, size};
use crate::element::Real;
use crate::tensor::{View, out};
use crate::{Error, Result};

/// The transpose of a convolution: each element of `x` adds a multiple of the kernel to `y`.
///
/// # Shapes
/// `x: [batch, spatial.., channels]`, `kernel: [window.., filters, channels]` to
/// `[batch, output.., filters]`.
///
/// # Source
/// `keras.ops.conv_transpose(inputs, kernel, strides, padding)`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConvTranspose {
    /// The window over the output; its borders are what is cut off.
    pub(crate) window: Window,
    /// The spatial shape of the output.
    pub(crate) output: Vec<usize>,
}

impl Operator for ConvTranspose {
    const NAME: &'static str = "conv_transpose";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, kernel] = inputs(Self::NAME, x)?;
        let wrong = || {
            let reason = format!("kernel {:?} does not fit input {:?}", kernel.shape, x.shape);
            Error::op(Self::NAME, reason)
        };
        let (&[batch, ref spatial @ .., channels], &[ref taps @ .., filters, depth]) =
            (x.shape.as_slice(), kernel.shape.as_slice())
        else {
            return Err(wrong());
        };
        let fits = taps == self.window.size
            && depth == channels
            && spatial.len() == self.output.len()
            && spatial.len() <= 3
            && x.dtype == kernel.dtype;
        if !fits {
            return Err(wrong());
        }
        Ok(vec![Spec::new([&[batch], &self.output[..], &[filters]].concat(), x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x, kernel], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        floats!(x.data.dtype(), Self::NAME, T => self.run::<T>(*x, *kernel, y))
    }
}

impl ConvTranspose {
    fn run<T: Real>(&self, x: View<'_>, kernel: View<'_>, y: &mut Out<'_>) -> Result<()> {
        // The convolution whose transpose this is reads `y` and makes `x`.
        let cube = self.window.cube(inner(y.shape), inner(x.shape));
        let channels = x.shape.last().copied().unwrap_or(0).max(1);
        let filters = y.shape.last().copied().unwrap_or(0);
        let (x, kernel) = (x.of::<T>(Self::NAME)?, kernel.of::<T>(Self::NAME)?);
        let y = out::<T>(&mut y.data, Self::NAME)?;
        y.fill(T::zero());
        for (row, x) in x.chunks_exact(channels).enumerate() {
            let start = row / cube.places() * size(&cube.input);
            cube.each(row % cube.places(), |tap, position| {
                let y = &mut y[(start + position) * filters..][..filters];
                let kernel = &kernel[tap * filters * channels..][..filters * channels];
                for (y, k) in y.iter_mut().zip(kernel.chunks_exact(channels)) {
                    let products = x.iter().zip(k).map(|(x, k)| *x * *k);
                    *y += products.fold(T::zero(), |a, b| a + b);
                }
            });
        }
        Ok(())
    }
}
