//! Transposed convolutions.

use std::sync::Arc;

use keras_model::DType;

use super::window::{Window, inner};
use super::{
    Conv, ConvKernel, Gradient, Operator, Out, Spec, Types, inputs, single, size, upstream,
};
use crate::element::Real;
use crate::graph::{Builder, Value};
use crate::kernels::{Epilogue, Matrix, Packed, PackedCache, gemm, with_scratch};
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
#[derive(Clone, Debug)]
pub(crate) struct ConvTranspose {
    /// The window over the output; its borders are what is cut off.
    pub(crate) window: Window,
    /// The spatial shape of the output.
    pub(crate) output: Vec<usize>,
    /// The kernel in the form that the inner loop reads, where it is a constant.
    pub(crate) packed: Option<Arc<Packed>>,
}

impl ConvTranspose {
    pub(crate) fn new(window: Window, output: Vec<usize>) -> Self {
        Self { window, output, packed: None }
    }

    /// Brings a constant kernel into the form that the inner loop reads.
    pub(crate) fn pack(&mut self, cache: &PackedCache, kernel: View<'_>) -> bool {
        let (Ok(data), Some((channels, rest))) =
            (kernel.of::<f32>(Self::NAME), kernel.shape.split_last())
        else {
            return false;
        };
        self.packed = Some(cache.get(data, [*channels, size(rest)], 1, *channels));
        true
    }
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
        if x.data.dtype() == DType::Float32 {
            if let Some(packed) = &self.packed {
                return self.run_packed(*x, packed, y);
            }
            let (data, channels) = (kernel.of(Self::NAME)?, x.shape[x.shape.len() - 1]);
            let columns = size(&kernel.shape[..kernel.shape.len() - 1]);
            return self.run_packed(*x, &Packed::new(data, [channels, columns], 1, channels), y);
        }
        floats!(x.data.dtype(), Self::NAME, T => self.run::<T>(*x, *kernel, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // What the transpose of a convolution is to its input the convolution is to what reaches it.
        let ([x, kernel], dy) = (*inputs(Self::NAME, x)?, upstream(Self::NAME, dy)?);
        let spatial = inner(b.shape(x)).to_vec();
        let (dy, window) = self.convolution(b, dy, &spatial)?;
        let dx = b.op(Conv::new(window.clone(), 1), &[dy, kernel])?;
        let shape = b.shape(kernel).to_vec();
        let op = ConvKernel { window, groups: 1, kernel: shape };
        Ok(vec![Some(dx), Some(b.op(op, &[dy, x])?)])
    }
}

/// Products that are made before they are added to the result.
const BLOCK: usize = 1 << 16;

impl ConvTranspose {
    /// The window of the convolution whose transpose this is, which makes `spatial` of what it
    /// reads: `dy` without places that no window reaches.
    fn convolution(
        &self,
        b: &mut Builder<'_>,
        mut dy: Value,
        spatial: &[usize],
    ) -> Result<(Value, Window)> {
        let mut window = self.window.clone();
        for (axis, count) in spatial.iter().enumerate() {
            let last = count.saturating_sub(1) * window.strides[axis];
            let reach = window.size[axis].saturating_sub(1) * window.dilation[axis] + 1;
            let (before, after) = &mut window.borders[axis];
            let needed = (last + reach).saturating_sub(*before);
            let length = self.output[axis];
            *after = needed.saturating_sub(length);
            dy = b.slice(dy, axis + 1, 0, needed.min(length))?;
        }
        Ok((dy, window))
    }

    /// The products of some places with the whole kernel at once, then their sums.
    fn run_packed(&self, x: View<'_>, kernel: &Packed, y: &mut Out<'_>) -> Result<()> {
        let cube = self.window.cube(inner(y.shape), inner(x.shape));
        let channels = x.shape.last().copied().unwrap_or(0).max(1);
        let filters = y.shape.last().copied().unwrap_or(0);
        let x = x.of::<f32>(Self::NAME)?;
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        y.fill(0.0);
        let columns = kernel.columns().max(1);
        let places = (BLOCK / columns).max(1);
        with_scratch(|products| {
            for (block, x) in x.chunks(places * channels).enumerate() {
                products.clear();
                products.resize(x.len() / channels * columns, 0.0);
                let rows = Matrix { columns: channels };
                gemm(x, &rows, kernel, Epilogue::NONE, products, [columns, 0]);
                for (i, products) in products.chunks_exact(columns).enumerate() {
                    let row = block * places + i;
                    let start = row / cube.places() * size(&cube.input);
                    cube.each(row % cube.places(), |tap, position| {
                        let y = &mut y[(start + position) * filters..][..filters];
                        let products = &products[tap * filters..][..filters];
                        y.iter_mut().zip(products).for_each(|(y, p)| *y += *p);
                    });
                }
            }
        });
        Ok(())
    }

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

#[test]
fn both_ways_give_the_same() {
    let window =
        Window { size: vec![3], strides: vec![2], dilation: vec![1], borders: vec![(1, 0)] };
    let tensor = |shape: &[usize]| {
        let n = size(shape);
        crate::Tensor::new(shape.to_vec(), (0..n).map(|i| (i % 7) as f32).collect::<Vec<_>>())
            .unwrap()
    };
    let (x, kernel) = (tensor(&[2, 4, 2]), tensor(&[3, 5, 2]));
    let mut op = ConvTranspose::new(window, vec![8]);
    let plain = super::run(op.clone(), &[x.clone(), kernel.clone()]).unwrap();
    op.pack(&PackedCache::default(), kernel.view());
    assert_eq!(super::run(op, &[x, kernel]).unwrap(), plain);
}

#[test]
fn gradient_is_the_slope() {
    let window =
        Window { size: vec![3], strides: vec![2], dilation: vec![1], borders: vec![(1, 0)] };
    let x = [super::some_numbers(&[2, 4, 2], 0), super::some_numbers(&[3, 5, 2], 3)];
    super::check_gradient(ConvTranspose::new(window, vec![8]), &x);
}

#[test]
fn gradient_where_windows_end_before_the_output_or_behind() {
    for (output, border) in [(7, 0), (12, 2), (9, 1)] {
        let borders = vec![(border, 0)];
        let window = Window { size: vec![3], strides: vec![2], dilation: vec![2], borders };
        let x = [super::some_numbers(&[2, 4, 2], 0), super::some_numbers(&[3, 5, 2], 3)];
        super::check_gradient(ConvTranspose::new(window, vec![output]), &x);
    }
}
