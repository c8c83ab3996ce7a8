//! Equations whose matrix is a triangle.

use super::lu::{equations, solve_each};
use super::matrix::{self, Matrix};
use super::{Function, Gradient, Operator, Out, Spec, Types, upstream};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::tensor::View;

/// `y` with `a · y = b`, `a` being the lower (upper) triangle of what is given.
///
/// # Shapes
/// `a: [.., n, n]`, `b: [.., n, k]` to the shape of `b`.
///
/// # Source
/// `keras.ops.solve_triangular(a, b, lower)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SolveTriangular {
    pub(crate) lower: bool,
}

impl Operator for SolveTriangular {
    const NAME: &'static str = "solve_triangular";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        equations(Self::NAME, x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        solve_each(Self::NAME, x, y, |a, b| Ok(self.solve(&a, b)))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // As for any matrix; only what is read gets something.
        let at = b.transpose_matrices(x[0])?;
        let db = b.op(Self { lower: !self.lower }, &[at, upstream(Self::NAME, dy)?])?;
        let da = b.matmul_transposed(db, y[0])?;
        let da = b.unary(Function::Neg, da)?;
        let lower = self.lower;
        let is_read = |i, j| f64::from(u8::from(if lower { i >= j } else { i <= j }));
        Ok(vec![Some(matrix::band(b, da, is_read)?), Some(db)])
    }
}

impl SolveTriangular {
    fn solve(self, a: &Matrix, mut x: Matrix) -> Matrix {
        let n = a.rows;
        for j in 0..x.columns {
            for step in 0..n {
                let (i, known) =
                    if self.lower { (step, 0..step) } else { (n - 1 - step, n - step..n) };
                let sum: f64 = known.map(|k| a[(i, k)] * x[(k, j)]).sum();
                x[(i, j)] = (x[(i, j)] - sum) / a[(i, i)];
            }
        }
        x
    }
}

#[test]
fn the_other_triangle_is_not_read() {
    let a = crate::Tensor::new([2, 2], vec![2.0_f32, 9.0, 1.0, 4.0]).unwrap();
    let b = crate::Tensor::new([2, 1], vec![2.0_f32, 9.0]).unwrap();
    let y = super::run(SolveTriangular { lower: true }, &[a, b]).unwrap();
    assert_eq!(y.as_slice::<f32>().unwrap(), [1.0, 2.0]);
}

#[test]
fn gradient_is_the_slope() {
    for lower in [false, true] {
        let x = [super::some_numbers(&[2, 3, 3], 1), super::some_numbers(&[2, 3, 2], 2)];
        super::check_gradient(SolveTriangular { lower }, &x);
    }
}
