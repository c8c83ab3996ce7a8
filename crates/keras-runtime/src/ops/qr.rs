//! An orthogonal and a triangular factor.

use super::matrix::{self, Matrix};
use super::{Gradient, Operator, Out, SolveTriangular, Spec, Types, inputs, no_gradient};
use crate::graph::{Builder, Value};
use crate::tensor::View;
use crate::{Error, Result};

/// `q · r = x` by Householder's reflections: `q` orthogonal, `r` upper triangular.
///
/// # Shapes
/// `x: [.., m, n]` to `[.., m, k]` and `[.., k, n]`, `k` the shorter of `m` and `n`, or `m` if
/// complete.
///
/// # Source
/// `keras.ops.qr(x, mode)`, Keras 3; the signs are LAPACK's and Eigen's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Qr {
    pub(crate) complete: bool,
}

impl Operator for Qr {
    const NAME: &'static str = "qr";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let (outer, m, n) = matrix::parts(Self::NAME, x)?;
        let k = if self.complete { m } else { m.min(n) };
        let of = |rows, columns| Spec::new([outer, &[rows, columns]].concat(), x.dtype);
        Ok(vec![of(m, k), of(k, n)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], [q, r]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has two outputs"));
        };
        let columns = q.shape.last().copied().unwrap_or(0);
        let (mut all_q, mut all_r) = (Vec::new(), Vec::new());
        for x in matrix::read(Self::NAME, x)? {
            let (orthogonal, triangular) = factors(x);
            all_q.extend(orthogonal.left(columns).data);
            all_r.extend_from_slice(&triangular.data[..columns * triangular.columns]);
        }
        matrix::write(Self::NAME, q, all_q)?;
        matrix::write(Self::NAME, r, all_r)
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let shape = b.shape(x[0]).to_vec();
        let rank = shape.len();
        let (m, n) = (shape[rank - 2], shape[rank - 1]);
        if self.complete && m > n {
            return no_gradient("qr of more rows than columns, complete,");
        }
        let (q, r) = (y[0], y[1]);
        let dq = dy[0].map_or_else(|| b.zeros_like(q), Ok)?;
        let dr = dy[1].map_or_else(|| b.zeros_like(r), Ok)?;
        if m >= n {
            return Ok(vec![Some(of_tall(b, [q, r], [dq, dr])?)]);
        }
        // The columns behind the square are q · r there: what reaches them reaches `q` as well.
        let (u, du) = (b.slice(r, rank - 1, 0, m)?, b.slice(dr, rank - 1, 0, m)?);
        let rest = b.slice(x[0], rank - 1, m, n)?;
        let dv = b.slice(dr, rank - 1, m, n)?;
        let more = b.matmul_transposed(rest, dv)?;
        let dq = b.add(dq, more)?;
        let first = of_tall(b, [q, u], [dq, du])?;
        let second = b.matmul(q, dv)?;
        Ok(vec![Some(b.concat(&[first, second], rank - 1)?)])
    }
}

/// What reaches matrices with no more columns than rows: `(dq + q · m) · r⁻ᵀ`, `m` the lower half
/// of `r · drᵀ - dqᵀ · q`, mirrored.
fn of_tall(b: &mut Builder<'_>, [q, r]: [Value; 2], [dq, dr]: [Value; 2]) -> Result<Value> {
    let first = b.matmul_transposed(r, dr)?;
    let dqt = b.transpose_matrices(dq)?;
    let second = b.matmul(dqt, q)?;
    let m = b.sub(first, second)?;
    let below = matrix::band(b, m, |i, j| f64::from(u8::from(i > j)))?;
    let rest = matrix::band(b, m, |i, j| f64::from(u8::from(i >= j)))?;
    let rest = b.transpose_matrices(rest)?;
    let m = b.add(below, rest)?;
    let turned = b.matmul(q, m)?;
    let sum = b.add(dq, turned)?;
    let sum = b.transpose_matrices(sum)?;
    let dx = b.op(SolveTriangular { lower: false }, &[r, sum])?;
    b.transpose_matrices(dx)
}

/// Both factors, the first one square.
fn factors(mut r: Matrix) -> (Matrix, Matrix) {
    let m = r.rows;
    let mut q = Matrix::identity(m);
    for k in 0..m.min(r.columns) {
        let tail: f64 = (k + 1..m).map(|i| r[(i, k)] * r[(i, k)]).sum();
        if tail == 0.0 {
            continue;
        }
        let head = r[(k, k)];
        let length = -(head * head + tail).sqrt().copysign(head);
        // The vector across which is reflected, its first element 1.
        let mut vector: Vec<f64> = (k..m).map(|i| r[(i, k)] / (head - length)).collect();
        vector[0] = 1.0;
        let factor = (length - head) / length;
        for j in k..r.columns {
            let sum: f64 = vector.iter().enumerate().map(|(i, v)| v * r[(k + i, j)]).sum();
            vector.iter().enumerate().for_each(|(i, v)| r[(k + i, j)] -= factor * v * sum);
        }
        (k + 1..m).for_each(|i| r[(i, k)] = 0.0);
        for i in 0..m {
            let sum: f64 = vector.iter().enumerate().map(|(j, v)| v * q[(i, k + j)]).sum();
            vector.iter().enumerate().for_each(|(j, v)| q[(i, k + j)] -= factor * v * sum);
        }
    }
    (q, r)
}

#[test]
fn the_factors_make_the_matrix() {
    let x = Matrix { rows: 3, columns: 2, data: vec![3.0, 1.0, 0.0, 2.0, 4.0, -1.0] };
    let (q, r) = factors(x.clone());
    for i in 0..3 {
        for j in 0..2 {
            let sum: f64 = (0..3).map(|k| q[(i, k)] * r[(k, j)]).sum();
            assert!((sum - x[(i, j)]).abs() < 1e-12);
        }
    }
    assert!((r[(0, 0)] + 5.0).abs() < 1e-12 && r[(1, 0)] == 0.0);
}

#[test]
fn gradient_is_the_slope() {
    for (m, n) in [(3, 3), (4, 2), (2, 4)] {
        super::check_gradient(Qr { complete: false }, &[super::some_numbers(&[2, m, n], 0)]);
    }
}
