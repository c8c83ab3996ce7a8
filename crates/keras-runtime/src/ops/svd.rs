//! Singular values.

use super::matrix::{self, Matrix};
use super::{Arithmetic, Function, Gradient, Operator, Out, Spec, Types, inputs, no_gradient};
use crate::graph::{Builder, Value};
use crate::tensor::View;
use crate::{Error, Result};

/// Rounds after which Jacobi's turns end; ten are many.
const ROUNDS: usize = 60;

/// `u · diag(s) · v = x` with orthogonal `u` and `v` and falling `s`, by turns of pairs of columns
/// (Jacobi's method from one side). Columns of `u` and rows of `v` may have another sign than in
/// other programs.
///
/// # Shapes
/// `x: [.., m, n]` to `[.., m, k]`, `[.., k]` and `[.., k, n]`, `k` the shorter of `m` and `n`;
/// `[.., m, m]` and `[.., n, n]` if full; the values alone without vectors.
///
/// # Source
/// `keras.ops.svd(x, full_matrices, compute_uv)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Svd {
    pub(crate) full: bool,
    pub(crate) vectors: bool,
}

impl Operator for Svd {
    const NAME: &'static str = "svd";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let (outer, m, n) = matrix::parts(Self::NAME, x)?;
        let k = m.min(n);
        let of = |inner: &[usize]| Spec::new([outer, inner].concat(), x.dtype);
        if !self.vectors {
            return Ok(vec![of(&[k])]);
        }
        let (rows, columns) = if self.full { (m, n) } else { (k, k) };
        Ok(vec![of(&[m, rows]), of(&[k]), of(&[columns, n])])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let [x] = inputs(Self::NAME, x)?;
        let parts: Vec<Parts> = matrix::read(Self::NAME, x)?.iter().map(Parts::of).collect();
        match y {
            [values] => matrix::write(Self::NAME, values, parts.into_iter().flat_map(|p| p.values)),
            [u, values, v] => {
                let width = |out: &Out<'_>, axis: usize| out.shape.iter().rev().nth(axis).copied();
                let (left, right) = (width(u, 0).unwrap_or(0), width(v, 1).unwrap_or(0));
                let of = |p: &Parts| completed(&p.left, left).data;
                matrix::write(Self::NAME, u, parts.iter().flat_map(of))?;
                let of = |p: &Parts| completed(&p.right, right).transposed().data;
                matrix::write(Self::NAME, v, parts.iter().flat_map(of))?;
                matrix::write(Self::NAME, values, parts.into_iter().flat_map(|p| p.values))
            }
            _ => Err(Error::op(Self::NAME, "has one or three outputs")),
        }
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
        let [u, s, v] = match *y {
            [u, s, v] => [u, s, v],
            // Only their vectors say which way the values grow.
            _ => match *b.ops(Self { full: false, vectors: true }, x)? {
                [u, s, v] => [u, s, v],
                _ => return no_gradient(Self::NAME),
            },
        };
        let (du, ds, dv) = match *dy {
            [du, ds, dv] => (du, ds, dv),
            _ => (None, dy[0], None),
        };
        let k = shape[rank - 2].min(shape[rank - 1]);
        let (u, du) = without_rest(b, u, du, k)?;
        let (vt, dvt) = (b.transpose_matrices(v)?, dv.map(|dv| b.transpose_matrices(dv)));
        let (vt, dvt) = without_rest(b, vt, dvt.transpose()?, k)?;
        let (v, dv) = (b.transpose_matrices(vt)?, dvt.map(|dv| b.transpose_matrices(dv)));
        Ok(vec![factors_back(b, [u, s, v], [du, ds, dv.transpose()?])?])
    }
}

/// The first `k` columns of an orthogonal matrix and what reaches them: the others follow from
/// them, so that what reaches those does too.
fn without_rest(
    b: &mut Builder<'_>,
    u: Value,
    du: Option<Value>,
    k: usize,
) -> Result<(Value, Option<Value>)> {
    let shape = b.shape(u).to_vec();
    let (axis, n) = (shape.len() - 1, shape[shape.len() - 1]);
    let first = b.slice(u, axis, 0, k)?;
    let Some(du) = du.filter(|_| n > k) else { return Ok((first, du)) };
    let (rest, of_rest) = (b.slice(u, axis, k, n)?, b.slice(du, axis, k, n)?);
    let of_rest = b.transpose_matrices(of_rest)?;
    let turned = b.matmul(of_rest, first)?;
    let turned = b.matmul(rest, turned)?;
    let of_first = b.slice(du, axis, 0, k)?;
    Ok((first, Some(b.sub(of_first, turned)?)))
}

/// `dx = u · (F ∘ (uᵀ·du - duᵀ·u) · S + S · F ∘ (v·dvᵀ - dv·vᵀ) + diag ds) · v`, and what the parts
/// of `du` and `dv` add that lie outside of `u` and `v`; `F = 1 / (s_j² - s_i²)` beside the diagonal.
fn factors_back(
    b: &mut Builder<'_>,
    [u, s, v]: [Value; 3],
    [du, ds, dv]: [Option<Value>; 3],
) -> Result<Option<Value>> {
    let rank = b.rank(s);
    let (row, column) = (b.expand(s, rank - 1)?, b.expand(s, rank)?);
    let (rows, columns) = (b.unary(Function::Square, row)?, b.unary(Function::Square, column)?);
    let apart = b.sub(rows, columns)?;
    let mut sum = None;
    let mut add = |b: &mut Builder<'_>, part: Value| -> Result<()> {
        sum = Some(match sum {
            Some(sum) => b.add(sum, part)?,
            None => part,
        });
        Ok(())
    };
    // Between `u` and `v`.
    let between = |b: &mut Builder<'_>, inner: Value| {
        let left = b.matmul(u, inner)?;
        b.matmul(left, v)
    };
    if let Some(ds) = ds {
        let ds = b.expand(ds, rank - 1)?;
        let scaled = b.mul(u, ds)?;
        let part = b.matmul(scaled, v)?;
        add(b, part)?;
    }
    let (ut, vt) = (b.transpose_matrices(u)?, b.transpose_matrices(v)?);
    if let Some(du) = du {
        let turned = b.matmul(ut, du)?;
        let back = b.transpose_matrices(turned)?;
        let skew = b.sub(turned, back)?;
        let inner = b.binary(Arithmetic::DivNoNan, skew, apart)?;
        let inner = b.mul(inner, row)?;
        let part = between(b, inner)?;
        add(b, part)?;
        let inside = b.matmul(u, turned)?;
        let outside = b.sub(du, inside)?;
        let outside = b.binary(Arithmetic::DivNoNan, outside, row)?;
        let part = b.matmul(outside, v)?;
        add(b, part)?;
    }
    if let Some(dv) = dv {
        let dvt = b.transpose_matrices(dv)?;
        let turned = b.matmul(v, dvt)?;
        let back = b.transpose_matrices(turned)?;
        let skew = b.sub(turned, back)?;
        let inner = b.binary(Arithmetic::DivNoNan, skew, apart)?;
        let inner = b.mul(inner, column)?;
        let part = between(b, inner)?;
        add(b, part)?;
        let inside = b.matmul(vt, turned)?;
        let outside = b.sub(dvt, inside)?;
        let outside = b.binary(Arithmetic::DivNoNan, outside, row)?;
        let part = b.matmul_transposed(u, outside)?;
        add(b, part)?;
    }
    Ok(sum)
}

/// Values and vectors, these as columns.
struct Parts {
    left: Matrix,
    values: Vec<f64>,
    right: Matrix,
}

impl Parts {
    fn of(x: &Matrix) -> Self {
        if x.rows < x.columns {
            let Self { left, values, right } = Self::of(&x.transposed());
            return Self { left: right, values, right: left };
        }
        let (mut a, mut turns) = (x.clone(), Matrix::identity(x.columns));
        let n = x.columns;
        for _ in 0..ROUNDS {
            let mut is_done = true;
            for p in 0..n {
                for q in p + 1..n {
                    let dot = |i: usize, j: usize| -> f64 {
                        (0..a.rows).map(|row| a[(row, i)] * a[(row, j)]).sum()
                    };
                    let (pp, qq, pq) = (dot(p, p), dot(q, q), dot(p, q));
                    if pq.abs() <= f64::EPSILON * (pp * qq).sqrt() || !pq.is_finite() {
                        continue;
                    }
                    is_done = false;
                    let turn = angle(pp, qq, pq);
                    a.turn_columns([p, q], turn);
                    turns.turn_columns([p, q], turn);
                }
            }
            if is_done {
                break;
            }
        }
        let length = |j: usize| (0..a.rows).map(|i| a[(i, j)].powi(2)).sum::<f64>().sqrt();
        let lengths: Vec<f64> = (0..n).map(length).collect();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|i, j| lengths[*j].total_cmp(&lengths[*i]));
        let values: Vec<f64> = order.iter().map(|j| lengths[*j]).collect();
        // What has no length has no direction: `completed` finds one.
        let least = values.first().copied().unwrap_or(0.0) * f64::EPSILON;
        let known = values.iter().filter(|v| **v > least).count();
        let left = Matrix::new(a.rows, known, |i, j| a[(i, order[j])] / values[j]);
        let left = completed(&left, n);
        let right = Matrix::new(n, n, |i, j| turns[(i, order[j])]);
        Self { left, values, right }
    }
}

/// Cosine and sine of the turn after which two columns with these products are orthogonal.
pub(super) fn angle(pp: f64, qq: f64, pq: f64) -> [f64; 2] {
    let slope = (qq - pp) / (2.0 * pq);
    let tangent = 1.0_f64.copysign(slope) / (slope.abs() + slope.hypot(1.0));
    let cos = 1.0 / tangent.hypot(1.0);
    [cos, cos * tangent]
}

/// So many columns: those there are, and others orthogonal to them.
fn completed(columns: &Matrix, count: usize) -> Matrix {
    let m = columns.rows;
    let mut all: Vec<Vec<f64>> = (0..columns.columns.min(count))
        .map(|j| (0..m).map(|i| columns[(i, j)]).collect())
        .collect();
    while all.len() < count {
        // Of the axes the one that is farthest from all of them.
        let inside = |axis: &usize| all.iter().map(|c| c[*axis] * c[*axis]).sum::<f64>();
        let axis = (0..m).min_by(|i, j| inside(i).total_cmp(&inside(j))).unwrap_or(0);
        let mut next = vec![0.0; m];
        next[axis] = 1.0;
        for _ in 0..2 {
            for column in &all {
                let dot: f64 = column.iter().zip(&next).map(|(a, b)| a * b).sum();
                next.iter_mut().zip(column).for_each(|(n, c)| *n -= dot * c);
            }
        }
        let length = next.iter().map(|n| n * n).sum::<f64>().sqrt();
        all.push(next.into_iter().map(|n| n / length).collect());
    }
    Matrix::new(m, count, |i, j| all[j][i])
}

#[test]
fn a_matrix_of_rank_one_has_whole_vectors() {
    let x = Matrix { rows: 2, columns: 2, data: vec![3.0, 0.0, 4.0, 0.0] };
    let Parts { left, values, right } = Parts::of(&x);
    assert!((values[0] - 5.0).abs() < 1e-12 && values[1] == 0.0);
    for m in [left, right] {
        let dot = m[(0, 0)] * m[(0, 1)] + m[(1, 0)] * m[(1, 1)];
        assert!(dot.abs() < 1e-12 && (m[(0, 1)].hypot(m[(1, 1)]) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn gradient_is_the_slope() {
    for (m, n) in [(3, 3), (4, 2), (2, 4)] {
        let x = [super::some_numbers(&[2, m, n], 1)];
        super::check_gradient(Svd { full: false, vectors: false }, &x);
        super::check_gradient(Svd { full: false, vectors: true }, &x);
    }
}

/// Vectors that are whole only up to the turns of those behind the first: slopes of what these
/// leave as it is.
#[test]
fn gradient_of_full_matrices() {
    for (m, n) in [(3, 2), (2, 3)] {
        super::check_gradient(
            Svd { full: true, vectors: true },
            &[super::some_numbers(&[2, m, n], 1)],
        );
    }
}
