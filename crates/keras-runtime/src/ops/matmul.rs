//! Products of matrices.

use std::sync::Arc;

use super::finish::{Finish, Operands};
use super::transpose::copy_strided;
use super::{
    Dims, Gradient, Operator, Out, Spec, Types, broadcast, broadcast_strides, inputs, rows, single,
    size, upstream,
};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::kernels::{Epilogue, Matrix, Packed, PackedCache, gemm, gemv, with_scratch};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// `y = f(a · b + bias)`, matrix by matrix.
///
/// # Shapes
/// `a: [.., m, k]` and `b: [.., k, n]` (`[.., n, k]` with `transposed`) to `[.., m, n]`, with the
/// axes before broadcast; `bias: [n]`.
///
/// # Source
/// `keras.ops.matmul(x1, x2)`, Keras 3.
#[derive(Clone, Debug, Default)]
pub(crate) struct MatMul {
    /// Whether the last two axes of `b` are exchanged.
    pub(crate) transposed: bool,
    pub(crate) finish: Finish,
    /// `b` in the kernel's own form, where it is a constant.
    pub(crate) packed: Option<Arc<Packed>>,
}

/// Bytes of a matrix from which on it is read where it is rather than copied into panels.
const TOO_LARGE_TO_PACK: usize = 16 << 20;

impl MatMul {
    fn sizes(&self, a: &[usize], b: &[usize]) -> Option<[usize; 3]> {
        let (&[.., m, k], &[.., p, q]) = (a, b) else { return None };
        let [l, n] = if self.transposed { [q, p] } else { [p, q] };
        (k == l).then_some([m, k, n])
    }

    /// Brings a constant `b` into the kernel's form, if it is better read there.
    pub(crate) fn pack(&mut self, cache: &PackedCache, rows: usize, b: View<'_>) -> bool {
        let (&[p, q], Ok(data)) = (b.shape, b.of::<f32>(Self::NAME)) else { return false };
        if rows == 1 && !self.transposed && data.len() * 4 >= TOO_LARGE_TO_PACK {
            return false;
        }
        self.packed = Some(if self.transposed {
            cache.get(data, [q, p], 1, q)
        } else {
            cache.get(data, [p, q], q, 1)
        });
        true
    }
}

impl Operator for MatMul {
    const NAME: &'static str = "matmul";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let Operands { x: a, weights: b, bias, residual } = self.finish.operands(Self::NAME, x)?;
        let wrong = || {
            let reason = format!("shapes {:?} and {:?} do not multiply", a.shape, b.shape);
            Error::op(Self::NAME, reason)
        };
        let [m, _, n] = self.sizes(&a.shape, &b.shape).ok_or_else(wrong)?;
        if a.dtype != b.dtype || bias.is_some_and(|s| s.dtype != a.dtype || s.shape != [n]) {
            return Err(wrong());
        }
        let outer = |s: &[usize]| s[..s.len() - 2].to_vec();
        let mut shape = broadcast(Self::NAME, &outer(&a.shape), &outer(&b.shape))?;
        shape.extend([m, n]);
        let y = Spec::new(shape, a.dtype);
        if residual.is_some_and(|r| *r != y) {
            return Err(wrong());
        }
        Ok(vec![y])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let y = single(Self::NAME, y)?;
        let operands = self.finish.operands(Self::NAME, x)?;
        let Operands { x: a, weights: b, .. } = operands;
        if let (keras_model::DType::Float32, Some(packed)) = (a.data.dtype(), &self.packed) {
            let [bias, residual] = operands.added(Self::NAME)?;
            let data = a.of::<f32>(Self::NAME)?;
            let y = out::<f32>(&mut y.data, Self::NAME)?;
            let rows = Matrix { columns: a.shape.last().copied().unwrap_or(0) };
            self.finish.with_epilogue(bias, residual, |epilogue| {
                gemm(data, &rows, packed, epilogue, y, [packed.columns(), 0]);
            });
            return Ok(());
        }
        numbers!(a.data.dtype(), Self::NAME, T => self.run::<T>(*a, *b, operands.added(Self::NAME)?, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let ([a, w], mut dy) = (*inputs(Self::NAME, x)?, upstream(Self::NAME, dy)?);
        let shapes = [b.shape(a).to_vec(), b.shape(w).to_vec()];
        let mut rows = a;
        if let (&[p, q], [outer @ .., k]) = (&shapes[1][..], &shapes[0][..]) {
            // One matrix for all rows: one product.
            let n = if self.transposed { p } else { q };
            rows = b.reshape(a, [size(outer), *k])?;
            dy = b.reshape(dy, [size(outer), n])?;
        }
        let da = if self.transposed { b.matmul(dy, w)? } else { b.matmul_transposed(dy, w)? };
        let [left, right] = if self.transposed { [dy, rows] } else { [rows, dy] };
        let left = b.transpose_matrices(left)?;
        let dw = b.matmul(left, right)?;
        let da = if b.rank(da) < shapes[0].len() {
            b.reshape(da, shapes[0].clone())?
        } else {
            b.sum_to(da, &shapes[0])?
        };
        Ok(vec![Some(da), Some(b.sum_to(dw, &shapes[1])?)])
    }
}

impl MatMul {
    fn run<T: Product>(
        &self,
        a: View<'_>,
        b: View<'_>,
        [bias, residual]: [Option<&[T]>; 2],
        y: &mut Out<'_>,
    ) -> Result<()> {
        let wrong = || Error::op(Self::NAME, "shapes do not multiply");
        let [m, k, n] = self.sizes(a.shape, b.shape).ok_or_else(wrong)?;
        let outer = |s: &[usize]| Dims::from(&s[..s.len() - 2]);
        let (oa, ob) = (outer(a.shape), outer(b.shape));
        let mut to = outer(y.shape);
        let (a, b) = (a.of::<T>(Self::NAME)?, b.of::<T>(Self::NAME)?);
        let y = out::<T>(&mut y.data, Self::NAME)?;
        if y.is_empty() {
            return Ok(());
        }
        // Without axes before them all rows of `a` are one matrix.
        let m = if ob.iter().all(|n| *n == 1) && size(&oa) == size(&to) {
            let all = size(&oa) * m;
            to.clear();
            all
        } else {
            m
        };
        let (sa, sb) = if to.is_empty() {
            (Dims::new(), Dims::new())
        } else {
            (broadcast_strides(&oa, &to), broadcast_strides(&ob, &to))
        };
        let last = to.last().copied().unwrap_or(1);
        let step = |s: &[usize]| s.last().copied().unwrap_or(0);
        rows(&to, [&sa, &sb], |row, [ia, ib]| {
            for i in 0..last {
                let a = &a[(ia + i * step(&sa)) * m * k..][..m * k];
                let b = &b[(ib + i * step(&sb)) * k * n..][..k * n];
                let y = &mut y[(row + i) * m * n..][..m * n];
                T::product(a, b, [m, k, n], self.transposed, y);
            }
        });
        T::finish(&self.finish, bias, residual, y);
        Ok(())
    }
}

/// Types of which matrices are multiplied.
trait Product: Number {
    fn product(a: &[Self], b: &[Self], sizes: [usize; 3], transposed: bool, y: &mut [Self]) {
        let [m, k, n] = sizes;
        let [row, column] = if transposed { [1, k] } else { [n, 1] };
        for i in 0..m {
            for j in 0..n {
                let products = (0..k).map(|l| a[i * k + l].times(b[l * row + j * column]));
                y[i * n + j] = products.fold(Self::zero(), Self::plus);
            }
        }
    }

    /// Integers are neither added to nor go through functions: only `float32` is fused.
    fn finish(_: &Finish, _bias: Option<&[Self]>, _residual: Option<&[Self]>, _y: &mut [Self]) {}
}

impl Product for f64 {
    fn finish(with: &Finish, bias: Option<&[Self]>, residual: Option<&[Self]>, y: &mut [Self]) {
        with.apply(bias, residual, y);
    }
}

impl Product for i64 {}

impl Product for f32 {
    fn product(a: &[f32], b: &[f32], [m, k, n]: [usize; 3], transposed: bool, y: &mut [f32]) {
        if m == 1 && !transposed {
            gemv(a, b, y);
            return;
        }
        if transposed && m < n {
            return turned_product(a, b, [m, k, n], y);
        }
        with_scratch(|buffer| {
            let [row, column] = if transposed { [1, k] } else { [n, 1] };
            let packed = Packed::reuse(std::mem::take(buffer), b, [k, n], row, column);
            gemm(a, &Matrix { columns: k }, &packed, Epilogue::NONE, y, [n, 0]);
            *buffer = packed.into_data();
        });
    }

    fn finish(with: &Finish, bias: Option<&[Self]>, residual: Option<&[Self]>, y: &mut [Self]) {
        with.apply(bias, residual, y);
    }
}

/// `a · bᵀ` as the transpose of `b · aᵀ`: the smaller matrix is the one that is packed.
fn turned_product(a: &[f32], b: &[f32], [m, k, n]: [usize; 3], y: &mut [f32]) {
    let packed = Packed::new(a, [k, m], 1, k);
    with_scratch(|turned| {
        turned.resize(n * m, 0.0);
        gemm(b, &Matrix { columns: k }, &packed, Epilogue::NONE, turned, [m, 0]);
        copy_strided(turned, &[1, m], 0, &[m, n], y);
    });
}

#[test]
fn multiplies_batches() {
    let tensor = |shape: &[usize]| {
        let n = shape.iter().product::<usize>();
        crate::Tensor::new(shape.to_vec(), (0..n).map(|i| i as f32).collect::<Vec<_>>()).unwrap()
    };
    let op = MatMul { transposed: true, ..MatMul::default() };
    let y = super::run(op, &[tensor(&[2, 1, 2, 3]), tensor(&[2, 2, 3])]).unwrap();
    assert_eq!(y.shape(), [2, 2, 2, 2]);
    // Row 1 of the first matrix of `a` with row 0 of the second of `b`.
    assert_eq!(y.as_slice::<f32>().unwrap()[6], 3.0 * 6.0 + 4.0 * 7.0 + 5.0 * 8.0);
}

#[test]
fn gradient_is_the_slope() {
    let x = super::some_numbers;
    for transposed in [false, true] {
        let op = MatMul { transposed, ..MatMul::default() };
        let of = |outer: &[usize]| {
            let inner = if transposed { [4, 3] } else { [3, 4] };
            x(&[outer, &inner].concat(), 3)
        };
        super::check_gradient(op.clone(), &[x(&[2, 3], 0), of(&[])]);
        super::check_gradient(op.clone(), &[x(&[2, 2, 3], 0), of(&[])]);
        super::check_gradient(op.clone(), &[x(&[2, 1, 2, 3], 0), of(&[2])]);
        super::check_gradient(op, &[x(&[2, 3], 0), of(&[2])]);
    }
}
