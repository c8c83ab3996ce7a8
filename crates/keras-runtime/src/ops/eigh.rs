//! Eigenvalues of symmetric matrices.

use super::matrix::{self, Matrix};
use super::svd::angle;
use super::{Arithmetic, Gradient, Operator, Out, Spec, Types, inputs, nothing};
use crate::graph::{Builder, Value};
use crate::tensor::View;
use crate::{Error, Result};

/// Rounds after which Jacobi's turns end; ten are many.
const ROUNDS: usize = 60;

/// Rising values and their vectors as columns, by Jacobi's method. Only the lower triangle is
/// read; vectors may have another sign than in other programs.
///
/// # Shapes
/// `x: [.., n, n]` to `[.., n]` and `[.., n, n]`.
///
/// # Source
/// `keras.ops.eigh(x)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Eigh;

impl Operator for Eigh {
    const NAME: &'static str = "eigh";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let (outer, n) = matrix::square(Self::NAME, x)?;
        Ok(vec![Spec::new([outer, &[n]].concat(), x.dtype), x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], [values, vectors]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has two outputs"));
        };
        let all: Vec<_> = matrix::read(Self::NAME, x)?.iter().map(eigen).collect();
        matrix::write(Self::NAME, values, all.iter().flat_map(|(v, _)| v.iter().copied()))?;
        matrix::write(Self::NAME, vectors, all.into_iter().flat_map(|(_, m)| m.data))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // V · (diag dw + F ∘ Vᵀ·dV) · Vᵀ with F = 1 / (w_j - w_i) beside the diagonal; as only the
        // lower triangle is read, it gets what is for both.
        let [values, vectors] = [y[0], y[1]];
        let n = b.rank(values);
        let mut inner = match dy[0] {
            Some(dw) => {
                let one = matrix::identity_like(b, vectors)?;
                let dw = b.expand(dw, n)?;
                Some(b.mul(one, dw)?)
            }
            None => None,
        };
        if let Some(dv) = dy[1] {
            let (row, column) = (b.expand(values, n - 1)?, b.expand(values, n)?);
            let apart = b.sub(row, column)?;
            let vt = b.transpose_matrices(vectors)?;
            let turned = b.matmul(vt, dv)?;
            let turned = b.binary(Arithmetic::DivNoNan, turned, apart)?;
            inner = Some(match inner {
                Some(inner) => b.add(inner, turned)?,
                None => turned,
            });
        }
        let Some(inner) = inner else { return nothing(x) };
        let dx = b.matmul(vectors, inner)?;
        let dx = b.matmul_transposed(dx, vectors)?;
        let other = b.transpose_matrices(dx)?;
        let both = b.add(dx, other)?;
        let below = |i, j| if i == j { 0.5 } else { f64::from(u8::from(i > j)) };
        Ok(vec![Some(matrix::band(b, both, below)?)])
    }
}

fn eigen(x: &Matrix) -> (Vec<f64>, Matrix) {
    let n = x.rows;
    let mut a = Matrix::new(n, n, |i, j| x[(i.max(j), i.min(j))]);
    let mut vectors = Matrix::identity(n);
    for _ in 0..ROUNDS {
        let mut is_done = true;
        for p in 0..n {
            for q in p + 1..n {
                let (pp, qq, pq) = (a[(p, p)], a[(q, q)], a[(p, q)]);
                if pq.abs() <= f64::EPSILON * (pp * qq).abs().sqrt() || !pq.is_finite() {
                    continue;
                }
                is_done = false;
                let turn = angle(pp, qq, pq);
                a.turn_columns([p, q], turn);
                a = a.transposed();
                a.turn_columns([p, q], turn);
                vectors.turn_columns([p, q], turn);
            }
        }
        if is_done {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| a[(*i, *i)].total_cmp(&a[(*j, *j)]));
    let values = order.iter().map(|i| a[(*i, *i)]).collect();
    (values, Matrix::new(n, n, |i, j| vectors[(i, order[j])]))
}

#[test]
fn vectors_keep_their_direction() {
    let x = Matrix { rows: 2, columns: 2, data: vec![2.0, 0.0, 1.0, 2.0] };
    let (values, vectors) = eigen(&x);
    assert!((values[0] - 1.0).abs() < 1e-12 && (values[1] - 3.0).abs() < 1e-12);
    assert!((vectors[(0, 1)] - vectors[(1, 1)]).abs() < 1e-12);
}

#[test]
fn gradient_is_the_slope() {
    super::check_gradient(Eigh, &[super::some_numbers(&[2, 3, 3], 1)]);
}
