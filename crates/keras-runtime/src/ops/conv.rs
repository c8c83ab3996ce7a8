//! Convolutions over one to three axes.

use std::sync::Arc;

use keras_model::DType;

use super::finish::{Finish, Operands};
use super::window::{Cube, Window, inner};
use super::{
    ConvKernel, ConvTranspose, Gradient, Operator, Out, Spec, Types, inputs, single, size, upstream,
};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::kernels::{OUTSIDE, Packed, PackedCache, Rows, Winograd, gemm, with_scratch};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// `y = f(x ∗ kernel + bias)`: each window of `x` as a row times the kernel as a matrix.
///
/// # Shapes
/// `x: [batch, spatial.., channels]`, `kernel: [window.., channels / groups, filters]`,
/// `bias: [filters]` to `[batch, windows.., filters]`.
///
/// # Source
/// `keras.ops.conv(inputs, kernel, strides, padding, dilation_rate)`, Keras 3.
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    pub(crate) window: Window,
    pub(crate) groups: usize,
    pub(crate) finish: Finish,
    /// The kernel of each group in the form that the inner loop reads.
    pub(crate) packed: Vec<Arc<Packed>>,
    /// The kernel transformed, where that is faster.
    pub(crate) winograd: Option<Winograd>,
}

/// From so many channels and filters, and places of the result along both axes, on windows of 3 x 3
/// are computed by [`Winograd`]: in a third of the time. For fewer its matrices are too small.
const TRANSFORMED: (usize, usize) = (32, 9);

/// Channels times filters up to which they are: a transformed kernel takes four times the memory.
const MOST_TRANSFORMED: usize = 1 << 20;

impl Conv {
    pub(crate) fn new(window: Window, groups: usize) -> Self {
        Self { window, groups, finish: Finish::default(), packed: Vec::new(), winograd: None }
    }

    /// Brings a constant kernel into the form that the inner loop reads; `output` is the shape of
    /// the result if it may be made by [`Winograd`].
    pub(crate) fn pack(
        &mut self,
        cache: &PackedCache,
        kernel: View<'_>,
        output: Option<&[usize]>,
    ) -> bool {
        let Ok(data) = kernel.of::<f32>(Self::NAME) else { return false };
        if let (&[3, 3, channels, filters], Some(&[_, height, width, _])) = (kernel.shape, output)
            && self.groups == 1
            && [&self.window.strides, &self.window.dilation].iter().all(|v| **v == [1, 1])
            && channels.min(filters) >= TRANSFORMED.0
            && channels.saturating_mul(filters) <= MOST_TRANSFORMED
            && height.min(width) >= TRANSFORMED.1
        {
            let pack = |b: &[f32], sizes: [usize; 2]| cache.get(b, sizes, sizes[1], 1);
            self.winograd = Some(Winograd::new(data, [channels, filters], pack));
            return true;
        }
        self.packed = self.panels(data, kernel.shape, |b, sizes, row| cache.get(b, sizes, row, 1));
        true
    }

    fn panels(
        &self,
        kernel: &[f32],
        shape: &[usize],
        pack: impl Fn(&[f32], [usize; 2], usize) -> Arc<Packed>,
    ) -> Vec<Arc<Packed>> {
        let filters = shape.last().copied().unwrap_or(0);
        let rows = size(&shape[..shape.len() - 1]);
        let each = filters / self.groups;
        let group = |g: usize| {
            let start = (g * each).min(kernel.len());
            pack(&kernel[start..], [rows, each], filters)
        };
        (0..self.groups).map(group).collect()
    }
}

/// The windows of one group of channels.
struct Windows<'a> {
    cube: &'a Cube,
    channels: usize,
    /// First channel of the group and numbers in a row at each place.
    first: usize,
    length: usize,
}

impl Rows for Windows<'_> {
    fn segments(&self) -> usize {
        self.cube.taps()
    }

    fn length(&self) -> usize {
        self.length
    }

    fn find(&self, first: usize, at: &mut [usize]) {
        if self.cube.is_the_same() {
            for (i, at) in at.iter_mut().enumerate() {
                *at = (first + i) * self.channels + self.first;
            }
            return;
        }
        let (places, taps) = (self.cube.places(), self.cube.taps().max(1));
        let step = self.cube.strides[2] * self.channels;
        let width = self.cube.output[2];
        let (mut row, mut at) = (first, at);
        while at.len() >= taps {
            let (place, start) = (row % places, row / places * size(&self.cube.input));
            self.cube.each(place, |tap, position| {
                at[tap] = (start + position) * self.channels + self.first;
            });
            // Those behind it have the same elements, each one step further.
            let same = (self.cube.followers(place % width) + 1).min(at.len() / taps);
            let (run, rest) = at.split_at_mut(same * taps);
            let (one, others) = run.split_at_mut(taps);
            for (i, other) in (1..).zip(others.chunks_exact_mut(taps)) {
                for (at, one) in other.iter_mut().zip(&*one) {
                    *at = if *one == OUTSIDE { OUTSIDE } else { one + i * step };
                }
            }
            (row, at) = (row + same, rest);
        }
    }
}

/// Channels up to which an image is copied with its borders, so that a window's elements side by
/// side are one piece.
const FEW_CHANNELS: usize = 8;

impl Operator for Conv {
    const NAME: &'static str = "conv";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let Operands { x, weights: kernel, bias, residual } =
            self.finish.operands(Self::NAME, x)?;
        let wrong = || {
            let reason = format!("kernel {:?} does not fit input {:?}", kernel.shape, x.shape);
            Error::op(Self::NAME, reason)
        };
        let (&[batch, ref spatial @ .., channels], &[ref taps @ .., depth, filters]) =
            (x.shape.as_slice(), kernel.shape.as_slice())
        else {
            return Err(wrong());
        };
        let fits = taps == self.window.size
            && self.groups > 0
            && depth * self.groups == channels
            && filters % self.groups == 0
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
        let Operands { x: image, weights: kernel, bias, .. } = operands;
        let cube = self.window.cube(inner(image.shape), inner(y.shape));
        if image.data.dtype() != DType::Float32 {
            return numbers!(image.data.dtype(), Self::NAME, T => {
                self.run::<T>(*image, *kernel, bias, &cube, y)
            });
        }
        let [bias, residual] = operands.added(Self::NAME)?;
        let channels = image.shape.last().copied().unwrap_or(0);
        let filters = kernel.shape.last().copied().unwrap_or(0);
        let image = image.of::<f32>(Self::NAME)?;
        if let Some(winograd) = &self.winograd {
            let y = out::<f32>(&mut y.data, Self::NAME)?;
            let frame = cube.frame();
            self.finish.with_epilogue(bias, residual, |epilogue| {
                winograd.run(image, frame, epilogue, y);
            });
            return Ok(());
        }
        let own;
        let packed = if self.packed.is_empty() {
            let pack = |b: &[f32], sizes, row| Arc::new(Packed::new(b, sizes, row, 1));
            own = self.panels(kernel.of(Self::NAME)?, kernel.shape, pack);
            &own
        } else {
            &self.packed
        };
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        let (length, each) = (channels / self.groups, filters / self.groups);
        let mut run = |image: &[f32], cube: &Cube, length: usize| {
            for (g, packed) in packed.iter().enumerate() {
                let windows = Windows { cube, channels, first: g * length, length };
                let bias = bias.map(|b| &b[g * each..(g + 1) * each]);
                self.finish.with_epilogue(bias, residual, |epilogue| {
                    gemm(image, &windows, packed, epilogue, y, [filters, g * each]);
                });
            }
        };
        if self.groups > 1 || cube.dilation[2] != 1 || cube.size[2] == 1 {
            run(image, &cube, length);
        } else if cube.is_inside() {
            // The elements of a window along the last axis are one piece.
            run(image, &cube.one_piece(), cube.size[2] * channels);
        } else if channels <= FEW_CHANNELS {
            with_scratch(|buffer| {
                let wide = cube.copy_with_borders(image, channels, buffer);
                run(buffer, &wide.one_piece(), cube.size[2] * channels);
            });
        } else {
            run(image, &cube, length);
        }
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let ([x, kernel], dy) = (*inputs(Self::NAME, x)?, upstream(Self::NAME, dy)?);
        if self.is_product() {
            return product_gradient(b, [x, kernel], dy);
        }
        let dx = self.to_input(b, [x, kernel], dy)?;
        let shape = b.shape(kernel).to_vec();
        let op = ConvKernel { window: self.window.clone(), groups: self.groups, kernel: shape };
        Ok(vec![Some(dx), Some(b.op(op, &[x, dy])?)])
    }
}

impl Conv {
    fn run<T: Number>(
        &self,
        x: View<'_>,
        kernel: View<'_>,
        bias: Option<&View<'_>>,
        cube: &Cube,
        y: &mut Out<'_>,
    ) -> Result<()> {
        let channels = x.shape.last().copied().unwrap_or(0);
        let filters = y.shape.last().copied().unwrap_or(0).max(1);
        let (length, each) = (channels / self.groups, filters / self.groups);
        let (x, kernel) = (x.of::<T>(Self::NAME)?, kernel.of::<T>(Self::NAME)?);
        let bias = bias.map(|b| b.of::<T>(Self::NAME)).transpose()?;
        let y = out::<T>(&mut y.data, Self::NAME)?;
        for (row, y) in y.chunks_exact_mut(filters).enumerate() {
            match bias {
                Some(bias) => y.copy_from_slice(bias),
                None => y.fill(T::zero()),
            }
            let start = row / cube.places() * size(&cube.input);
            cube.each(row % cube.places(), |tap, position| {
                for (f, y) in y.iter_mut().enumerate() {
                    for c in 0..length {
                        let a = x[(start + position) * channels + f / each * length + c];
                        *y = y.plus(a.times(kernel[(tap * length + c) * filters + f]));
                    }
                }
            });
        }
        Ok(())
    }
}

/// The gradient of a product of rows.
fn product_gradient(b: &mut Builder<'_>, [x, kernel]: [Value; 2], dy: Value) -> Gradient {
    let shapes = [b.shape(x).to_vec(), b.shape(kernel).to_vec()];
    let rows = |b: &mut Builder<'_>, v: Value| {
        let shape = b.shape(v).to_vec();
        let columns = shape.last().copied().unwrap_or(1);
        b.reshape(v, [size(&shape[..shape.len() - 1]), columns])
    };
    let (x, kernel, dy) = (rows(b, x)?, rows(b, kernel)?, rows(b, dy)?);
    let dx = b.matmul_transposed(dy, kernel)?;
    let xt = b.transpose_matrices(x)?;
    let dk = b.matmul(xt, dy)?;
    let [of_x, of_kernel] = shapes;
    Ok(vec![Some(b.reshape(dx, of_x)?), Some(b.reshape(dk, of_kernel)?)])
}

impl Conv {
    /// Whether each place of the input is a window: the convolution is a product.
    fn is_product(&self) -> bool {
        let Window { size, strides, borders, .. } = &self.window;
        let are_one = size.iter().chain(strides).all(|n| *n == 1);
        self.groups == 1 && are_one && borders.iter().all(|b| *b == (0, 0))
    }

    /// What reaches the input: windows one step apart are a convolution with the kernel turned
    /// around; others are its transpose, group by group.
    fn to_input(&self, b: &mut Builder<'_>, [x, kernel]: [Value; 2], dy: Value) -> Result<Value> {
        if let Some(window) = self.turned() {
            let kernel = self.turned_kernel(b, kernel)?;
            return b.op(Self::new(window, self.groups), &[dy, kernel]);
        }
        let shape = b.shape(x).to_vec();
        let spatial = inner(&shape).to_vec();
        let (axis, rank) = (b.rank(dy) - 1, b.rank(kernel) - 1);
        let each = b.shape(dy)[axis] / self.groups;
        let group = |g: usize| {
            let (from, to) = (g * each, (g + 1) * each);
            let (dy, kernel) = (b.slice(dy, axis, from, to)?, b.slice(kernel, rank, from, to)?);
            b.op(ConvTranspose::new(self.window.clone(), spatial.clone()), &[dy, kernel])
        };
        let groups = (0..self.groups).map(group).collect::<Result<Vec<_>>>()?;
        b.concat(&groups, axis)
    }

    /// The windows through which results one step apart reach the input.
    fn turned(&self) -> Option<Window> {
        let Window { size, strides, dilation, borders } = &self.window;
        let axes = size.iter().zip(dilation).zip(borders);
        let turned = axes.map(|((size, dilation), (before, after))| {
            let reach = (size - 1) * dilation;
            Some((reach.checked_sub(*before)?, reach.checked_sub(*after)?))
        });
        let borders = turned.collect::<Option<Vec<_>>>()?;
        strides.iter().all(|s| *s == 1).then(|| Window { borders, ..self.window.clone() })
    }

    /// `[window.., channels / groups, filters]` from its end, to `[window.., filters / groups,
    /// channels]`.
    fn turned_kernel(&self, b: &mut Builder<'_>, mut kernel: Value) -> Result<Value> {
        let shape = b.shape(kernel).to_vec();
        let &[ref taps @ .., depth, filters] = shape.as_slice() else { return Ok(kernel) };
        let (count, each) = (size(taps), filters / self.groups);
        kernel = b.reshape(kernel, [count, depth, self.groups, each])?;
        if count > 1 {
            kernel = b.flip(kernel, 0)?;
        }
        kernel = b.transpose(kernel, [0, 3, 2, 1])?;
        b.reshape(kernel, [taps, &[each, self.groups * depth]].concat())
    }
}

#[test]
fn borders_and_groups() {
    // Two groups of one channel, a window of 3 with one place of border: plain sums of neighbours.
    let window =
        Window { size: vec![3], strides: vec![1], dilation: vec![1], borders: vec![(1, 1)] };
    let x = crate::Tensor::new([1, 3, 2], vec![1.0_f32, 10.0, 2.0, 20.0, 3.0, 30.0]).unwrap();
    let kernel = crate::Tensor::new([3, 1, 2], vec![1.0_f32; 6]).unwrap();
    let y = super::run(Conv::new(window, 2), &[x, kernel]).unwrap();
    assert_eq!(y.as_slice::<f32>().unwrap(), [3.0, 30.0, 6.0, 60.0, 5.0, 50.0]);
}

#[test]
fn a_transformed_kernel_gives_what_the_plain_one_gives() {
    let window = Window {
        size: vec![3, 3],
        strides: vec![1, 1],
        dilation: vec![1, 1],
        borders: vec![(1, 1), (1, 1)],
    };
    let numbers = |n: usize| (0..n).map(|i| (i * 37 % 17) as f32 / 8.0 - 1.0).collect::<Vec<_>>();
    let x = crate::Tensor::new([2, 9, 10, 32], numbers(2 * 9 * 10 * 32)).unwrap();
    let kernel = crate::Tensor::new([3, 3, 32, 33], numbers(9 * 32 * 33)).unwrap();
    let made = |output: Option<&[usize]>| {
        let mut op = Conv::new(window.clone(), 1);
        assert!(op.pack(&PackedCache::default(), kernel.view(), output));
        assert_eq!(op.winograd.is_some(), output.is_some_and(|shape| shape[1] >= TRANSFORMED.1));
        super::run(op, &[x.clone(), kernel.clone()]).unwrap().as_slice::<f32>().unwrap().to_vec()
    };
    let plain = made(None);
    assert_eq!(made(Some(&[2, 8, 10, 33])), plain, "small images are not transformed");
    let transformed = made(Some(&[2, 9, 10, 33]));
    let largest = plain.iter().fold(0.0_f32, |most, y| most.max(y.abs()));
    assert!(plain.iter().zip(&transformed).all(|(a, b)| (a - b).abs() <= 1e-5 * largest));
}
