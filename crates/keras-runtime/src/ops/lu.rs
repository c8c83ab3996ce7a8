//! Elimination with the largest element of a column as pivot: factors, determinants, equations.

use keras_model::DType;

use super::matrix::{self, Matrix};
use super::{
    Function, Gradient, Operator, Out, SolveTriangular, Spec, Types, inputs, nothing, single,
    upstream,
};
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// Both factors in one matrix, the ones on the diagonal of the lower one left out.
struct Factors {
    lu: Matrix,
    /// The row of the matrix that each row of the factors was.
    order: Vec<usize>,
    /// 1 or -1, by the number of exchanges.
    sign: f64,
}

impl Factors {
    fn of(mut lu: Matrix) -> Self {
        let n = lu.rows.min(lu.columns);
        let mut order: Vec<usize> = (0..lu.rows).collect();
        let mut sign = 1.0;
        for k in 0..n {
            let size = |i: &usize| lu[(*i, k)].abs();
            let pivot = (k..lu.rows).rev().max_by(|i, j| size(i).total_cmp(&size(j))).unwrap_or(k);
            if pivot != k {
                lu.swap_rows(pivot, k);
                order.swap(pivot, k);
                sign = -sign;
            }
            if lu[(k, k)] == 0.0 {
                continue;
            }
            for i in k + 1..lu.rows {
                lu[(i, k)] /= lu[(k, k)];
                for j in k + 1..lu.columns {
                    lu[(i, j)] -= lu[(i, k)] * lu[(k, j)];
                }
            }
        }
        Self { lu, order, sign }
    }

    /// `a⁻¹ · b`.
    fn solve(&self, b: &Matrix) -> Result<Matrix> {
        let n = self.lu.rows;
        if (0..n).any(|i| self.lu[(i, i)] == 0.0) {
            return Err(Error::Value("solve: the matrix cannot be inverted".into()));
        }
        let mut x = Matrix::new(n, b.columns, |i, j| b[(self.order[i], j)]);
        for j in 0..b.columns {
            for i in 0..n {
                let sum: f64 = (0..i).map(|k| self.lu[(i, k)] * x[(k, j)]).sum();
                x[(i, j)] -= sum;
            }
            for i in (0..n).rev() {
                let sum: f64 = (i + 1..n).map(|k| self.lu[(i, k)] * x[(k, j)]).sum();
                x[(i, j)] = (x[(i, j)] - sum) / self.lu[(i, i)];
            }
        }
        Ok(x)
    }
}

/// The factors of `x` with its rows in another order, and that order.
///
/// # Shapes
/// `x: [.., n, n]` to the same and `[.., n]` of `int32`.
///
/// # Source
/// `keras.ops.lu_factor(x)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LuFactor;

impl Operator for LuFactor {
    const NAME: &'static str = "lu_factor";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let (outer, n) = matrix::square(Self::NAME, x)?;
        Ok(vec![x.clone(), Spec::new([outer, &[n]].concat(), DType::Int32)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], [lu, order]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has two outputs"));
        };
        let factors: Vec<Factors> =
            matrix::read(Self::NAME, x)?.into_iter().map(Factors::of).collect();
        let rows = out::<i32>(&mut order.data, Self::NAME)?;
        for (place, row) in rows.iter_mut().zip(factors.iter().flat_map(|f| &f.order)) {
            *place = *row as i32;
        }
        matrix::write(Self::NAME, lu, factors.into_iter().flat_map(|f| f.lu.data))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        _x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // x[order] = L · U, so dx[order] = L⁻ᵀ · (lower Lᵀ·dL + upper dU·Uᵀ) · U⁻ᵀ.
        let (lu, dlu) = (y[0], upstream(Self::NAME, dy)?);
        let below = |i: usize, j: usize| f64::from(u8::from(i > j));
        let above = |i: usize, j: usize| f64::from(u8::from(i <= j));
        let (l, u) = (matrix::band(b, lu, below)?, matrix::band(b, lu, above)?);
        let one = matrix::identity_like(b, lu)?;
        let l = b.add(l, one)?;
        let (lt, ut) = (b.transpose_matrices(l)?, b.transpose_matrices(u)?);
        let (dl, du) = (matrix::band(b, dlu, below)?, matrix::band(b, dlu, above)?);
        let (dl, du) = (b.matmul(lt, dl)?, b.matmul(du, ut)?);
        let (dl, du) = (matrix::band(b, dl, below)?, matrix::band(b, du, above)?);
        let inner = b.add(dl, du)?;
        let left = b.op(SolveTriangular { lower: false }, &[lt, inner])?;
        let left = b.transpose_matrices(left)?;
        let both = b.op(SolveTriangular { lower: false }, &[u, left])?;
        let both = b.transpose_matrices(both)?;
        // Row `order[i]` of `x` is row `i` of the factors.
        let shape = b.shape(both).to_vec();
        let places = b.argsort(y[1], shape.len() - 2, false)?;
        let places = b.expand(places, shape.len() - 1)?;
        let places = b.broadcast_to(places, shape.clone())?;
        Ok(vec![Some(b.gather_along(both, places, shape.len() - 2)?)])
    }
}

/// The determinant of each matrix.
///
/// # Shapes
/// `x: [.., n, n]` to `[..]`; with `log` the sign and the logarithm of the size, `[..]` each.
///
/// # Source
/// `keras.ops.det(x)`, `keras.ops.slogdet(x)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Determinant {
    pub(crate) log: bool,
}

impl Operator for Determinant {
    const NAME: &'static str = "determinant";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let (outer, _) = matrix::square(Self::NAME, x)?;
        Ok(vec![Spec::new(outer, x.dtype); if self.log { 2 } else { 1 }])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let [x] = inputs(Self::NAME, x)?;
        let all: Vec<Factors> = matrix::read(Self::NAME, x)?.into_iter().map(Factors::of).collect();
        let diagonal = |f: &Factors| (0..f.lu.rows).map(|i| f.lu[(i, i)]).collect::<Vec<_>>();
        match y {
            [sign, log] => {
                let of = |f: &Factors| diagonal(f).iter().fold(f.sign, |s, d| s * sign_of(*d));
                matrix::write(Self::NAME, sign, all.iter().map(of))?;
                let of = |f: &Factors| diagonal(f).iter().map(|d| d.abs().ln()).sum::<f64>();
                matrix::write(Self::NAME, log, all.iter().map(of))
            }
            y => {
                let of = |f: &Factors| diagonal(f).iter().product::<f64>() * f.sign;
                matrix::write(Self::NAME, single(Self::NAME, y)?, all.iter().map(of))
            }
        }
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // det x · x⁻ᵀ; of the logarithm x⁻ᵀ.
        let xt = b.transpose_matrices(x[0])?;
        let one = matrix::identity_like(b, xt)?;
        let inverse = b.op(Solve, &[xt, one])?;
        let Some(mut factor) = dy.last().copied().flatten() else { return nothing(x) };
        if !self.log {
            factor = b.mul(factor, y[0])?;
        }
        for _ in 0..2 {
            factor = b.expand(factor, b.rank(factor))?;
        }
        Ok(vec![Some(b.mul(inverse, factor)?)])
    }
}

fn sign_of(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// `y` with `a · y = b`.
///
/// # Shapes
/// `a: [.., n, n]`, `b: [.., n, k]` to the shape of `b`.
///
/// # Errors
/// [`Error::Value`] if a matrix cannot be inverted.
///
/// # Source
/// `keras.ops.solve(a, b)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Solve;

impl Operator for Solve {
    const NAME: &'static str = "solve";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        equations(Self::NAME, x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        solve_each(Self::NAME, x, y, |a, b| Factors::of(a).solve(&b))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // db = a⁻ᵀ · dy, da = -db · yᵀ.
        let at = b.transpose_matrices(x[0])?;
        let db = b.op(Self, &[at, upstream(Self::NAME, dy)?])?;
        let da = b.matmul_transposed(db, y[0])?;
        Ok(vec![Some(b.unary(Function::Neg, da)?), Some(db)])
    }
}

/// The shape rule of equations.
pub(super) fn equations(name: &'static str, x: &[Spec]) -> Result<Vec<Spec>> {
    let [a, b] = inputs(name, x)?;
    let ((outer, n), (others, rows, _)) = (matrix::square(name, a)?, matrix::parts(name, b)?);
    if (outer, n) != (others, rows) {
        return Err(Error::op(name, format!("{:?} do not fit {:?}", b.shape, a.shape)));
    }
    Ok(vec![b.clone()])
}

/// Solves the equations of each pair of matrices.
pub(super) fn solve_each(
    name: &'static str,
    x: &[View<'_>],
    y: &mut [Out<'_>],
    solve: impl Fn(Matrix, Matrix) -> Result<Matrix>,
) -> Result<()> {
    let ([a, b], y) = (inputs(name, x)?, single(name, y)?);
    let pairs = matrix::read(name, a)?.into_iter().zip(matrix::read(name, b)?);
    let solved: Vec<Matrix> = pairs.map(|(a, b)| solve(a, b)).collect::<Result<_>>()?;
    matrix::write(name, y, solved.into_iter().flat_map(|m| m.data))
}

#[test]
fn a_row_that_begins_with_zero_is_exchanged() {
    let a = crate::Tensor::new([2, 2], vec![0.0_f32, 2.0, 1.0, 3.0]).unwrap();
    let b = crate::Tensor::new([2, 1], vec![4.0_f32, 5.0]).unwrap();
    let x = super::run(Solve, &[a.clone(), b.clone()]).unwrap();
    assert_eq!(x.as_slice::<f32>().unwrap(), [-1.0, 2.0]);
    assert_eq!(
        super::run(Determinant { log: false }, &[a]).unwrap().as_slice(),
        Some(&[-2.0_f32][..])
    );
    let zero = crate::Tensor::zeros([2, 2], DType::Float32);
    assert!(super::run(Solve, &[zero, b]).is_err());
}

#[test]
fn gradients_are_the_slopes() {
    let (a, b) = (super::some_numbers(&[2, 3, 3], 1), super::some_numbers(&[2, 3, 2], 2));
    super::check_gradient(Solve, &[a.clone(), b]);
    super::check_gradient(Determinant { log: false }, std::slice::from_ref(&a));
    super::check_gradient(Determinant { log: true }, std::slice::from_ref(&a));
    super::check_gradient(LuFactor, &[a]);
}
