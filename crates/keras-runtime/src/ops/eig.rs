//! Eigenvalues of any square matrix.

use keras_model::DType;
use num_complex::Complex64;

use super::matrix::{self, Matrix};
use super::{Arithmetic, Function, Gradient, Operator, Out, Solve, Spec, Types, inputs, nothing};
use crate::graph::{Builder, Value};
use crate::tensor::View;
use crate::{Error, Result};

/// Steps for each value after which the iteration ends; three are usual.
const STEPS: usize = 40;

/// Values and their vectors of length 1 as columns, as pairs of real and imaginary parts:
/// Hessenberg form, then QR steps. Order, signs and angles in the complex plane are those that the
/// steps end with, conjugate values being neighbours: the same as in other programs only where
/// rounding does not decide.
///
/// # Shapes
/// `x: [.., n, n]` to `[.., n]`, `[.., n]`, `[.., n, n]` and `[.., n, n]`: real and imaginary parts
/// of the values, then of the vectors.
///
/// # Source
/// `keras.ops.eig(x)`, Keras 3, which is `tf.linalg.eig`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Eig;

impl Operator for Eig {
    const NAME: &'static str = "eig";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let (outer, n) = matrix::square(Self::NAME, x)?;
        let values = Spec::new([outer, &[n]].concat(), x.dtype);
        Ok(vec![values.clone(), values, x.clone(), x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], [re, im, vectors_re, vectors_im]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has four outputs"));
        };
        // As far as the type goes: where the steps end says which sign a vector has.
        let epsilon = match x.data.dtype() {
            DType::Float64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        let all = matrix::read(Self::NAME, x)?;
        let all = all.iter().map(|x| eigen(x, epsilon));
        let (values, vectors): (Vec<_>, Vec<_>) = all.unzip();
        let (values, vectors) = (values.concat(), vectors.concat());
        matrix::write(Self::NAME, re, values.iter().map(|v| v.re))?;
        matrix::write(Self::NAME, im, values.iter().map(|v| v.im))?;
        matrix::write(Self::NAME, vectors_re, vectors.iter().map(|v| v.re))?;
        matrix::write(Self::NAME, vectors_im, vectors.iter().map(|v| v.im))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // V⁻ᴴ · (diag dw + F ∘ (Vᴴ·dV - Vᴴ·V·diag re(Vᴴ·dV))) · Vᴴ with F the conjugate of
        // 1 / (w_j - w_i) beside the diagonal.
        if dy.iter().all(Option::is_none) {
            return nothing(x);
        }
        let given = |b: &mut Builder<'_>, i: usize| match dy[i] {
            Some(dy) => Ok(dy),
            None => b.zeros_like(y[i]),
        };
        let dw = Pair(given(b, 0)?, given(b, 1)?);
        let dv = Pair(given(b, 2)?, given(b, 3)?);
        let (w, v) = (Pair(y[0], y[1]), Pair(y[2], y[3]));
        let n = b.rank(y[0]);
        let one = matrix::identity_like(b, v.0)?;
        let vh = v.adjoint(b)?;
        let turned = vh.matmul(b, dv)?;
        // What only changes the length of a vector changes nothing.
        let length = b.mul(turned.0, one)?;
        let own = vh.matmul(b, v)?;
        let own = Pair(b.matmul(own.0, length)?, b.matmul(own.1, length)?);
        let turned = Pair(b.sub(turned.0, own.0)?, b.sub(turned.1, own.1)?);
        let apart = |b: &mut Builder<'_>, w: Value| {
            let (row, column) = (b.expand(w, n - 1)?, b.expand(w, n)?);
            b.sub(row, column)
        };
        let apart = Pair(apart(b, w.0)?, apart(b, w.1)?);
        let (re, im) = (b.mul(apart.0, apart.0)?, b.mul(apart.1, apart.1)?);
        let square = b.add(re, im)?;
        // The conjugate of 1 / z is z / |z|².
        let ratio = |b: &mut Builder<'_>, part| b.binary(Arithmetic::DivNoNan, part, square);
        let ratio = Pair(ratio(b, apart.0)?, ratio(b, apart.1)?);
        let turned = turned.times(b, ratio)?;
        let diagonal = |b: &mut Builder<'_>, dw: Value| {
            let dw = b.expand(dw, n)?;
            b.mul(one, dw)
        };
        let dw = Pair(diagonal(b, dw.0)?, diagonal(b, dw.1)?);
        let middle = Pair(b.add(turned.0, dw.0)?, b.add(turned.1, dw.1)?);
        let right = middle.matmul(b, vh)?;
        // Complex equations as real ones of twice the size.
        let last = b.rank(vh.0) - 1;
        let negative = b.unary(Function::Neg, vh.1)?;
        let (upper, lower) = (b.concat(&[vh.0, negative], last)?, b.concat(&[vh.1, vh.0], last)?);
        let matrix = b.concat(&[upper, lower], last - 1)?;
        let right = b.concat(&[right.0, right.1], last - 1)?;
        let both = b.op(Solve, &[matrix, right])?;
        let size = b.shape(x[0]).last().copied().unwrap_or(0);
        Ok(vec![Some(b.slice(both, last - 1, 0, size)?)])
    }
}

/// Real and imaginary part of a value of the graph.
#[derive(Clone, Copy)]
struct Pair(Value, Value);

impl Pair {
    fn adjoint(self, b: &mut Builder<'_>) -> Result<Self> {
        let im = b.transpose_matrices(self.1)?;
        Ok(Self(b.transpose_matrices(self.0)?, b.unary(Function::Neg, im)?))
    }

    fn matmul(self, b: &mut Builder<'_>, other: Self) -> Result<Self> {
        self.product(b, other, Builder::matmul)
    }

    fn times(self, b: &mut Builder<'_>, other: Self) -> Result<Self> {
        self.product(b, other, Builder::mul)
    }

    fn product<'m>(
        self,
        b: &mut Builder<'m>,
        other: Self,
        product: fn(&mut Builder<'m>, Value, Value) -> Result<Value>,
    ) -> Result<Self> {
        let (a, c) = (product(b, self.0, other.0)?, product(b, self.1, other.1)?);
        let (d, e) = (product(b, self.0, other.1)?, product(b, self.1, other.0)?);
        Ok(Self(b.sub(a, c)?, b.add(d, e)?))
    }
}

/// Eigenvalues, and the vectors as columns of a row-major matrix.
fn eigen(x: &Matrix, epsilon: f64) -> (Vec<Complex64>, Vec<Complex64>) {
    let n = x.rows;
    let mut schur = Schur::hessenberg(x, epsilon);
    schur.split();
    let values = schur.values();
    let columns: Vec<Vec<Complex64>> = (0..n).map(|k| schur.vector(&values, k)).collect();
    let vectors = (0..n * n).map(|i| columns[i % n][i / n]).collect();
    (values, vectors)
}

/// `x = u · t · uᵀ` with `u` orthogonal and `t` on its way to a triangle with blocks of two, which
/// hold conjugate values, along its diagonal.
/// Source: G. Golub, C. Van Loan, Matrix Computations, sections 7.4 and 7.5.
struct Schur {
    t: Matrix,
    u: Matrix,
    /// What is small beside 1.
    epsilon: f64,
}

/// `(v, tau, beta)` with `v[0] = 1`: `x - tau · v · (v·x)` is `beta`, then zeros.
fn reflector(x: &[f64]) -> (Vec<f64>, f64, f64) {
    let (first, rest) = (x[0], &x[1..]);
    let squared: f64 = rest.iter().map(|v| v * v).sum();
    if squared <= f64::MIN_POSITIVE {
        return (vec![1.0; 1], 0.0, first);
    }
    // The side on which nothing cancels.
    let length = (first * first + squared).sqrt();
    let beta = if first >= 0.0 { -length } else { length };
    let scaled = rest.iter().map(|v| v / (first - beta));
    (std::iter::once(1.0).chain(scaled).collect(), (beta - first) / beta, beta)
}

impl Schur {
    /// `t` with zeros below its second diagonal.
    fn hessenberg(x: &Matrix, epsilon: f64) -> Self {
        let n = x.rows;
        let mut schur = Self { t: x.clone(), u: Matrix::identity(n), epsilon };
        for k in 0..n.saturating_sub(2) {
            let column: Vec<f64> = (k + 1..n).map(|i| schur.t[(i, k)]).collect();
            let (v, tau, beta) = reflector(&column);
            schur.reflect(k + 1, &v, tau, k + 1, n);
            schur.t[(k + 1, k)] = beta;
            (k + 2..n).for_each(|i| schur.t[(i, k)] = 0.0);
        }
        schur
    }

    /// `t = H·t·H` and `u = u·H`, where `H` reflects along `v` in the axes from `at` on. Columns of
    /// `t` before `from` and rows from `to` on are zero there, or known.
    fn reflect(&mut self, at: usize, v: &[f64], tau: f64, from: usize, to: usize) {
        for j in from..self.t.columns {
            let dot: f64 = v.iter().enumerate().map(|(i, v)| v * self.t[(at + i, j)]).sum();
            v.iter().enumerate().for_each(|(i, v)| self.t[(at + i, j)] -= tau * dot * v);
        }
        let all = self.u.rows;
        for (matrix, rows) in [(&mut self.t, to), (&mut self.u, all)] {
            for i in 0..rows {
                let dot: f64 = v.iter().enumerate().map(|(j, v)| v * matrix[(i, at + j)]).sum();
                v.iter().enumerate().for_each(|(j, v)| matrix[(i, at + j)] -= tau * dot * v);
            }
        }
    }

    /// Splits values off the end of `t`, one or two at a time.
    fn split(&mut self) {
        let n = self.t.rows;
        let norm: f64 = self.t.data.iter().map(|v| v.abs()).sum();
        let nothing = (norm * self.epsilon * self.epsilon).max(f64::MIN_POSITIVE);
        let (mut end, mut step, mut left) = (n, 0, STEPS * n);
        while end > 0 && left > 0 {
            let last = end - 1;
            let start = self.start(last, nothing);
            if start == last {
                if last > 0 {
                    self.t[(last, last - 1)] = 0.0;
                }
                (end, step) = (end - 1, 0);
            } else if start + 1 == last {
                self.split_two(last);
                (end, step) = (end - 2, 0);
            } else {
                (step, left) = (step + 1, left - 1);
                self.francis(start, last, step);
            }
        }
    }

    /// The first row of the block that ends with row `last`: before it is nothing below the diagonal.
    fn start(&self, last: usize, nothing: f64) -> usize {
        let t = |i: usize, j: usize| self.t[(i, j)].abs();
        let is_small =
            |i: &usize| t(*i, i - 1) <= ((t(i - 1, i - 1) + t(*i, *i)) * self.epsilon).max(nothing);
        (1..=last).rev().find(is_small).unwrap_or(0)
    }

    /// Turns the block of two that ends with row `last` into a triangle, if its values are real.
    fn split_two(&mut self, last: usize) {
        let (first, below) = (last - 1, self.t[(last, last - 1)]);
        let half = (self.t[(first, first)] - self.t[(last, last)]) / 2.0;
        let square = half * half + below * self.t[(first, last)];
        if square >= 0.0 {
            let root = square.sqrt();
            let along = if half >= 0.0 { half + root } else { half - root };
            let length = along.hypot(below);
            let turn = [along / length, -below / length];
            for j in first..self.t.columns {
                let (a, b) = (self.t[(first, j)], self.t[(last, j)]);
                self.t[(first, j)] = turn[0] * a - turn[1] * b;
                self.t[(last, j)] = turn[1] * a + turn[0] * b;
            }
            self.t.turn_columns([first, last], turn);
            self.u.turn_columns([first, last], turn);
            self.t[(last, first)] = 0.0;
        }
        if first > 0 {
            self.t[(first, first - 1)] = 0.0;
        }
    }

    /// A QR step with two shifts at once, in real numbers (J. Francis).
    fn francis(&mut self, start: usize, last: usize, step: usize) {
        let t = |i: usize, j: usize| self.t[(i, j)];
        let mut shift =
            [t(last, last), t(last - 1, last - 1), t(last, last - 1) * t(last - 1, last)];
        if step.is_multiple_of(10) {
            // Now and then another one, against circles.
            let apart = t(last, last - 1).abs() + t(last - 1, last - 2).abs();
            let other = t(last, last) + 0.75 * apart;
            shift = [other, other, -0.4375 * apart * apart];
        }
        // It may begin where two small elements below the diagonal follow each other.
        let begin = |at: usize| {
            let own = t(at, at);
            let (r, s) = (shift[0] - own, shift[1] - own);
            let first = (r * s - shift[2]) / t(at + 1, at) + t(at, at + 1);
            [first, t(at + 1, at + 1) - own - r - s, t(at + 2, at + 1)]
        };
        let is_small = |at: &usize| {
            let [a, b, c] = begin(*at);
            let beside = t(at - 1, at - 1).abs() + t(*at, *at).abs() + t(at + 1, at + 1).abs();
            (t(*at, at - 1) * (b.abs() + c.abs())).abs() < self.epsilon * (a * beside)
        };
        let first = (start + 1..=last - 2).rev().find(is_small).unwrap_or(start);
        let mut bulge = begin(first).to_vec();
        for k in first..last {
            if k > first {
                bulge = (k..=last.min(k + 2)).map(|i| self.t[(i, k - 1)]).collect();
            }
            let (v, tau, beta) = reflector(&bulge);
            if k > first {
                self.t[(k, k - 1)] = beta;
                (k + 1..=last.min(k + 2)).for_each(|i| self.t[(i, k - 1)] = 0.0);
            } else if k > start && tau != 0.0 {
                self.t[(k, k - 1)] *= -1.0;
            }
            self.reflect(k, &v, tau, k, last.min(k + 3) + 1);
        }
    }

    /// The values along the diagonal: of a block of two first that with the positive imaginary part.
    fn values(&self) -> Vec<Complex64> {
        let (n, t) = (self.t.rows, |i: usize, j: usize| self.t[(i, j)]);
        let mut values = Vec::with_capacity(n);
        while values.len() < n {
            let i = values.len();
            if i + 1 == n || t(i + 1, i) == 0.0 {
                values.push(Complex64::from(t(i, i)));
                continue;
            }
            let half = (t(i, i) - t(i + 1, i + 1)) / 2.0;
            let root = (half * half + t(i + 1, i) * t(i, i + 1)).abs().sqrt();
            let value = Complex64::new(t(i + 1, i + 1) + half, root);
            values.extend([value, value.conj()]);
        }
        values
    }

    /// The vector of a value, of length 1: by substitution from its row of `t` upwards.
    fn vector(&self, values: &[Complex64], k: usize) -> Vec<Complex64> {
        let (n, value) = (self.t.rows, values[k]);
        if value.im < 0.0 {
            return self.vector(values, k - 1).into_iter().map(|v| v.conj()).collect();
        }
        let t = |i: usize, j: usize| Complex64::from(self.t[(i, j)]);
        let mut own = vec![Complex64::ZERO; n];
        let mut row = k;
        own[k] = Complex64::ONE;
        if value.im > 0.0 {
            own[k + 1] = Complex64::I;
            own[k] = (value - t(k + 1, k + 1)) * own[k + 1] / t(k + 1, k);
        }
        let norm = self.t.data.iter().map(|v| v.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
        // Two equal values have vectors that are almost so.
        let apart = |from: Complex64| {
            if from == Complex64::ZERO { Complex64::from(self.epsilon * norm) } else { from }
        };
        while row > 0 {
            let i = row - 1;
            let known = |i: usize| -> Complex64 { (row..n).map(|m| t(i, m) * own[m]).sum() };
            if values[i].im == 0.0 {
                own[i] = -known(i) / apart(t(i, i) - value);
                row = i;
                continue;
            }
            // Two equations with two unknowns.
            let (a, d) = (t(i - 1, i - 1) - value, t(i, i) - value);
            let (b, c) = (t(i - 1, i), t(i, i - 1));
            let (first, second) = (-known(i - 1), -known(i));
            let determinant = apart(a * d - b * c);
            own[i - 1] = (first * d - b * second) / determinant;
            own[i] = (a * second - first * c) / determinant;
            row = i - 1;
        }
        let product = |i: usize| (0..n).map(|m| own[m] * self.u[(i, m)]).sum();
        let column: Vec<Complex64> = (0..n).map(product).collect();
        let length = column.iter().map(Complex64::norm_sqr).sum::<f64>().sqrt();
        column.into_iter().map(|v| v / length).collect()
    }
}

#[test]
fn vectors_keep_their_direction() {
    let numbers = super::some_numbers(&[7, 7], 3).cast(DType::Float64).unwrap();
    let data = numbers.as_slice::<f64>().unwrap().to_vec();
    let x = Matrix { rows: 7, columns: 7, data };
    let (values, vectors) = eigen(&x, f64::EPSILON);
    for (k, value) in values.iter().enumerate() {
        for i in 0..7 {
            let product: Complex64 = (0..7).map(|m| vectors[m * 7 + k] * x[(i, m)]).sum();
            assert!((product - value * vectors[i * 7 + k]).norm() < 1e-12);
        }
    }
    assert!(values.iter().any(|v| v.im > 0.1), "{values:?}");
}
