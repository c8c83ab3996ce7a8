//! The axes in another order.

use super::{Dims, Gradient, Operator, Out, Spec, Types, inputs, single, strides, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// `y[.., i_k, ..] = x` with axis `k` of `y` being axis `axes[k]` of `x`.
///
/// # Shapes
/// `x: [n_0, .., n_r]` to `[n_axes[0], .., n_axes[r]]`.
///
/// # Source
/// `keras.ops.transpose(x, axes)`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transpose {
    pub(crate) axes: Vec<usize>,
}

impl Operator for Transpose {
    const NAME: &'static str = "transpose";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..x.shape.len()) {
            let reason = format!("axes {:?} do not order shape {:?}", self.axes, x.shape);
            return Err(Error::op(Self::NAME, reason));
        }
        let shape: Vec<usize> = self.axes.iter().map(|a| x.shape[*a]).collect();
        Ok(vec![Spec::new(shape, x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let own = strides(x.shape);
        let steps: Dims = self.axes.iter().map(|a| own[*a]).collect();
        each_type!(x.data, &mut y.data, |x, out| copy_strided(x, &steps, 0, y.shape, out));
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        _x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let mut back = vec![0; self.axes.len()];
        for (to, from) in self.axes.iter().enumerate() {
            back[*from] = to;
        }
        Ok(vec![Some(b.transpose(upstream(Self::NAME, dy)?, back)?)])
    }
}

/// Reads `x` with the given strides from `start` on into the row-major `y` of shape `shape`.
pub(super) fn copy_strided<T: Clone>(
    x: &[T],
    steps: &[usize],
    start: usize,
    shape: &[usize],
    y: &mut [T],
) {
    let last = shape.last().copied().unwrap_or(1);
    let step = steps.last().copied().unwrap_or(0);
    let near = (0..shape.len()).find(|axis| steps[*axis] == 1 && shape[*axis] >= SQUARE);
    if let Some(axis) = near
        && step > 1
        && last >= SQUARE
    {
        return copy_squares(x, steps, start, (shape, axis), y);
    }
    super::rows(shape, [steps], |row, [at]| {
        let from = start + at;
        let row = &mut y[row..row + last];
        if step == 1 {
            row.clone_from_slice(&x[from..from + last]);
        } else {
            for (i, y) in row.iter_mut().enumerate() {
                *y = x[from + i * step].clone();
            }
        }
    });
}

/// Length of the squares that are copied at once: their rows and columns fit in the cache.
const SQUARE: usize = 16;

/// The same where the neighbours along `axis` are those of `x`, not the ones along the last axis.
fn copy_squares<T: Clone>(
    x: &[T],
    steps: &[usize],
    start: usize,
    (shape, axis): (&[usize], usize),
    y: &mut [T],
) {
    let (to, end) = (strides(shape), shape.len() - 1);
    let (rows, columns, down, step) = (shape[axis], shape[end], to[axis], steps[end]);
    let mut outer = Dims::from(shape);
    (outer[axis], outer[end]) = (1, 1);
    super::rows(&outer, [steps, &to], |_, [from, to]| {
        for top in (0..rows).step_by(SQUARE) {
            for left in (0..columns).step_by(SQUARE) {
                let width = SQUARE.min(columns - left);
                for row in top..rows.min(top + SQUARE) {
                    let x = &x[start + from + row + left * step..];
                    let y = &mut y[to + row * down + left..][..width];
                    for (y, x) in y.iter_mut().zip(x.iter().step_by(step)) {
                        *y = x.clone();
                    }
                }
            }
        }
    });
}

#[test]
fn moves_axes() {
    let x = crate::Tensor::new([2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let y = super::run(Transpose { axes: vec![1, 0] }, &[x]).unwrap();
    assert_eq!(y.shape(), [3, 2]);
    assert_eq!(y.as_slice::<f32>().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn gradient_is_the_slope() {
    let op = Transpose { axes: vec![2, 0, 1] };
    super::check_gradient(op, &[super::some_numbers(&[2, 3, 4], 0)]);
}

/// Squares at once, with rests at both ends.
#[test]
fn squares_are_elements() {
    let shape = [3, 37, 2, 21];
    let x = super::some_numbers(&shape, 0);
    let y = super::run(Transpose { axes: vec![0, 3, 2, 1] }, std::slice::from_ref(&x)).unwrap();
    let (x, y) = (x.as_slice::<f64>().unwrap(), y.as_slice::<f64>().unwrap());
    for (at, y) in y.iter().enumerate() {
        let (i, j, k, l) = (at / (21 * 2 * 37), at / (2 * 37) % 21, at / 37 % 2, at % 37);
        assert_eq!(*y, x[((i * 37 + l) * 2 + k) * 21 + j]);
    }
}
