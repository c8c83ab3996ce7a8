//! The gradient of a convolution to its kernel.

use keras_model::DType;

use super::conv::Conv;
use super::window::{Cube, Window, inner};
use super::{Gradient, Operator, Out, Spec, Types, inputs, no_gradient, single, size};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::kernels::{Epilogue, Matrix, Packed, gemm};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// The gradient of [`Conv`] to its kernel: the windows of `x`, as rows, times what reaches them.
///
/// # Shapes
/// `x: [batch, spatial.., channels]` and `dy: [batch, windows.., filters]` to `kernel`.
#[derive(Clone, Debug)]
pub(crate) struct ConvKernel {
    pub(crate) window: Window,
    pub(crate) groups: usize,
    pub(crate) kernel: Vec<usize>,
}

/// Numbers of windows that are laid out at once.
const SIZE: usize = 1 << 19;
/// Windows of them at least: sums are read and written once for so many.
const LEAST: usize = 256;

impl Operator for ConvKernel {
    const NAME: &'static str = "conv_kernel_gradient";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, dy] = inputs(Self::NAME, x)?;
        let kernel = Spec::new(self.kernel.clone(), x.dtype);
        let op = Conv::new(self.window.clone(), self.groups);
        if op.output(&[x.clone(), kernel.clone()])? != [dy.clone()] {
            return Err(Error::op(Self::NAME, format!("{dy:?} does not fit {x:?}")));
        }
        Ok(vec![kernel])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x, dy], dk) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let cube = self.window.cube(inner(x.shape), inner(dy.shape));
        if size(&self.kernel) == 0 {
            return Ok(());
        }
        if x.data.dtype() == DType::Float32 {
            return self.products(*x, *dy, &cube, dk);
        }
        floats!(x.data.dtype(), Self::NAME, T => self.run::<T>(*x, *dy, &cube, dk))
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

impl ConvKernel {
    /// `windowsᵀ · dy`, some rows of windows after the other.
    fn products(&self, x: View<'_>, dy: View<'_>, cube: &Cube, dk: &mut Out<'_>) -> Result<()> {
        let channels = x.shape.last().copied().unwrap_or(0);
        let filters = dy.shape.last().copied().unwrap_or(0).max(1);
        let (length, each) = (channels / self.groups, filters / self.groups);
        let n = cube.taps() * length;
        let (x, dy) = (x.of::<f32>(Self::NAME)?, dy.of::<f32>(Self::NAME)?);
        let dk = out::<f32>(&mut dk.data, Self::NAME)?;
        dk.fill(0.0);
        // Rows of windows, neighbours of which lie beside each other in `x`.
        let width = cube.output[2].max(1);
        let rows = dy.len() / filters / width;
        let block = (SIZE / n.max(1)).max(LEAST).div_ceil(width).min(rows.max(1));
        let (mut windows, mut sum, mut packed) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..rows).step_by(block) {
            let count = block.min(rows - start) * width;
            // What was added up before is added to the next.
            sum.clear();
            sum.extend_from_slice(if start > 0 { dk } else { &[] });
            for g in 0..self.groups {
                windows.clear();
                windows.resize(n * count, 0.0);
                for (i, row) in (start..start + count / width).enumerate() {
                    cube.each_run(row, |outputs, taps| {
                        for (position, tap) in &*taps {
                            let x = &x[position * channels + g * length..];
                            let step = cube.strides[2] * channels;
                            for c in 0..length {
                                let to = (tap * length + c) * count + i * width;
                                let to = &mut windows[to + outputs.start..to + outputs.end];
                                let from = x[c..].iter().step_by(step);
                                to.iter_mut().zip(from).for_each(|(to, x)| *to = *x);
                            }
                        }
                    });
                }
                let right = &dy[start * width * filters + g * each..];
                let right =
                    Packed::reuse(std::mem::take(&mut packed), right, [count, each], filters, 1);
                let residual = (start > 0).then_some(sum.as_slice());
                let epilogue = Epilogue { residual, ..Epilogue::NONE };
                let rows = Matrix { columns: count };
                gemm(&windows, &rows, &right, epilogue, dk, [filters, g * each]);
                packed = right.into_data();
            }
        }
        Ok(())
    }

    fn run<T: Number>(
        &self,
        x: View<'_>,
        dy: View<'_>,
        cube: &Cube,
        dk: &mut Out<'_>,
    ) -> Result<()> {
        let channels = x.shape.last().copied().unwrap_or(0);
        let filters = dy.shape.last().copied().unwrap_or(0).max(1);
        let (length, each) = (channels / self.groups, filters / self.groups);
        let (x, dy) = (x.of::<T>(Self::NAME)?, dy.of::<T>(Self::NAME)?);
        let dk = out::<T>(&mut dk.data, Self::NAME)?;
        dk.fill(T::zero());
        for (row, dy) in dy.chunks_exact(filters).enumerate() {
            let start = row / cube.places() * size(&cube.input);
            cube.each(row % cube.places(), |tap, position| {
                for (f, d) in dy.iter().enumerate() {
                    for c in 0..length {
                        let a = x[(start + position) * channels + f / each * length + c];
                        let dk = &mut dk[(tap * length + c) * filters + f];
                        *dk = dk.plus(a.times(*d));
                    }
                }
            });
        }
        Ok(())
    }
}

#[test]
fn gradient_is_the_slope() {
    let window = Window {
        size: vec![3, 2],
        strides: vec![2, 1],
        dilation: vec![1, 2],
        borders: vec![(1, 1), (0, 1)],
    };
    for groups in [1, 2] {
        let x = super::some_numbers(&[2, 5, 4, 4], 0);
        let kernel = super::some_numbers(&[3, 2, 4 / groups, 6], 3);
        super::check_gradient(Conv::new(window.clone(), groups), &[x.clone(), kernel.clone()]);
        // The kernel for `float32` gives the same.
        let cast = |x: &crate::Tensor| x.cast(DType::Float32).unwrap();
        let dy = super::run(Conv::new(window.clone(), groups), &[x.clone(), kernel]).unwrap();
        let op = ConvKernel { window: window.clone(), groups, kernel: vec![3, 2, 4 / groups, 6] };
        let wide = super::run(op.clone(), &[x.clone(), dy.clone()]).unwrap();
        let narrow = super::run(op, &[cast(&x), cast(&dy)]).unwrap();
        let pairs = wide.as_slice::<f64>().unwrap().iter().zip(narrow.as_slice::<f32>().unwrap());
        assert!(pairs.into_iter().all(|(a, b)| (a - f64::from(*b)).abs() < 1e-4));
    }
}

#[test]
fn gradient_of_windows_one_step_apart_and_of_one_place() {
    for (sizes, dilation, border) in [([3, 2], 2, 1), ([2, 2], 1, 0), ([1, 1], 1, 0)] {
        let window = Window {
            size: sizes.to_vec(),
            strides: vec![1, 1],
            dilation: vec![dilation, 1],
            borders: vec![(border, 1), (0, border)],
        };
        for groups in [1, 2] {
            let x = super::some_numbers(&[2, 6, 4, 4], 0);
            let kernel = super::some_numbers(&[sizes[0], sizes[1], 4 / groups, 6], 3);
            super::check_gradient(Conv::new(window.clone(), groups), &[x, kernel]);
        }
    }
    let window =
        Window { size: vec![1], strides: vec![1], dilation: vec![1], borders: vec![(0, 0)] };
    let x = [super::some_numbers(&[2, 3, 4], 0), super::some_numbers(&[1, 4, 5], 3)];
    super::check_gradient(Conv::new(window, 1), &x);
}
