//! The triangular square root of a symmetric matrix.

use super::matrix::{self, Matrix};
use super::{Gradient, Operator, Out, SolveTriangular, Spec, Types, inputs, single, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::View;
use crate::{Error, Result};

/// `L · Lᵀ = x` with `L` lower triangular; of `x` only the lower triangle is read.
///
/// # Shapes
/// `x: [.., n, n]` to the same.
///
/// # Errors
/// [`Error::Value`] if `x` is not positive definite.
///
/// # Source
/// `keras.ops.cholesky(x)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cholesky;

impl Operator for Cholesky {
    const NAME: &'static str = "cholesky";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        matrix::square(Self::NAME, x)?;
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let roots: Vec<Matrix> =
            matrix::read(Self::NAME, x)?.iter().map(root).collect::<Result<_>>()?;
        matrix::write(Self::NAME, y, roots.into_iter().flat_map(|m| m.data))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        _x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // With P the lower half of Lᵀ · dL, its diagonal halved: L⁻ᵀ · P · L⁻¹, made symmetric.
        let (l, dl) = (y[0], upstream(Self::NAME, dy)?);
        let lt = b.transpose_matrices(l)?;
        let p = b.matmul(lt, dl)?;
        let p = matrix::band(b, p, |i, j| if i == j { 0.5 } else { f64::from(u8::from(i > j)) })?;
        let upper = SolveTriangular { lower: false };
        let half = b.op(upper, &[lt, p])?;
        let half = b.transpose_matrices(half)?;
        let s = b.op(upper, &[lt, half])?;
        let st = b.transpose_matrices(s)?;
        let sum = b.add(s, st)?;
        Ok(vec![Some(b.scale(sum, 0.5)?)])
    }
}

fn root(x: &Matrix) -> Result<Matrix> {
    let n = x.rows;
    let mut root = Matrix::new(n, n, |_, _| 0.0);
    for j in 0..n {
        for i in j..n {
            let sum: f64 = (0..j).map(|k| root[(i, k)] * root[(j, k)]).sum();
            let rest = x[(i, j)] - sum;
            if i > j {
                root[(i, j)] = rest / root[(j, j)];
            } else if rest > 0.0 {
                root[(j, j)] = rest.sqrt();
            } else {
                return Err(Error::Value("cholesky of a matrix not positive definite".into()));
            }
        }
    }
    Ok(root)
}

#[test]
fn its_square_is_the_matrix() {
    let x = crate::Tensor::new([2, 2], vec![4.0_f32, 2.0, 2.0, 5.0]).unwrap();
    let y = super::run(Cholesky, &[x]).unwrap();
    assert_eq!(y.as_slice::<f32>().unwrap(), [2.0, 0.0, 1.0, 2.0]);
    let x = crate::Tensor::new([1, 1], vec![-1.0_f32]).unwrap();
    assert!(super::run(Cholesky, &[x]).is_err());
}

#[test]
fn gradient_is_the_slope() {
    // Symmetric in each step too: the gradient is that of symmetric changes.
    let a = [3.0, 0.5, -0.2, 0.5, 2.0, 0.3, -0.2, 0.3, 4.0_f64];
    let symmetric = crate::Tensor::new([3, 3], a.to_vec()).unwrap();
    super::check::check_symmetric(Cholesky, &symmetric);
}
