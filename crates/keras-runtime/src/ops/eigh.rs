//! Eigenvalues of symmetric matrices.

use super::matrix::{self, Matrix};
use super::svd::angle;
use super::{Operator, Out, Spec, Types, inputs};
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
