//! Matrices in double precision: what the decompositions compute in, whatever the type of their
//! inputs.

use std::ops::{Index, IndexMut};

use super::{Out, Spec};
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// A matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) data: Vec<f64>,
}

impl Index<(usize, usize)> for Matrix {
    type Output = f64;

    fn index(&self, (i, j): (usize, usize)) -> &f64 {
        &self.data[i * self.columns + j]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut f64 {
        &mut self.data[i * self.columns + j]
    }
}

impl Matrix {
    pub(super) fn new(rows: usize, columns: usize, f: impl Fn(usize, usize) -> f64) -> Self {
        let data = (0..rows * columns).map(|at| f(at / columns, at % columns)).collect();
        Self { rows, columns, data }
    }

    pub(super) fn identity(n: usize) -> Self {
        Self::new(n, n, |i, j| f64::from(u8::from(i == j)))
    }

    pub(super) fn transposed(&self) -> Self {
        Self::new(self.columns, self.rows, |i, j| self[(j, i)])
    }

    /// The first `columns` columns.
    pub(super) fn left(&self, columns: usize) -> Self {
        Self::new(self.rows, columns, |i, j| self[(i, j)])
    }

    pub(super) fn swap_rows(&mut self, i: usize, j: usize) {
        for column in 0..self.columns {
            self.data.swap(i * self.columns + column, j * self.columns + column);
        }
    }

    /// Turns two columns by an angle given by its cosine and sine.
    pub(super) fn turn_columns(&mut self, [p, q]: [usize; 2], [cos, sin]: [f64; 2]) {
        for i in 0..self.rows {
            let (a, b) = (self[(i, p)], self[(i, q)]);
            self[(i, p)] = cos * a - sin * b;
            self[(i, q)] = sin * a + cos * b;
        }
    }
}

/// The lengths of the last two axes, and those before them.
pub(super) fn parts<'a>(name: &'static str, x: &'a Spec) -> Result<(&'a [usize], usize, usize)> {
    match x.shape.as_slice() {
        [outer @ .., rows, columns] => Ok((outer, *rows, *columns)),
        shape => Err(Error::op(name, format!("takes matrices, found shape {shape:?}"))),
    }
}

/// The length of both last axes, and those before them.
pub(super) fn square<'a>(name: &'static str, x: &'a Spec) -> Result<(&'a [usize], usize)> {
    match parts(name, x)? {
        (outer, rows, columns) if rows == columns => Ok((outer, rows)),
        _ => Err(Error::op(name, format!("takes square matrices, found {:?}", x.shape))),
    }
}

/// Matrices of the graph, each element times a factor of its place.
pub(super) fn band(
    b: &mut Builder<'_>,
    x: Value,
    factor: impl Fn(usize, usize) -> f64,
) -> Result<Value> {
    let &[.., rows, columns] = b.shape(x) else { return Ok(x) };
    let table = || Matrix::new(rows, columns, factor).data;
    let factors = b.table([rows, columns], b.dtype(x), table)?;
    b.mul(x, factors)
}

/// The identity in the shape and the type of square matrices of the graph.
pub(super) fn identity_like(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    let n = shape.last().copied().unwrap_or(0);
    let one = b.table([n, n], b.dtype(x), || Matrix::identity(n).data)?;
    b.broadcast_to(one, shape)
}

/// All matrices of a tensor.
pub(super) fn read(name: &'static str, x: &View<'_>) -> Result<Vec<Matrix>> {
    let &[.., rows, columns] = x.shape else {
        return Err(Error::op(name, "takes matrices"));
    };
    let values: Vec<f64> = floats!(x.data.dtype(), name, T => {
        Ok(x.of::<T>(name)?.iter().map(|v| *v as f64).collect())
    })?;
    let each = values.chunks_exact((rows * columns).max(1));
    Ok(each.map(|part| Matrix { rows, columns, data: part.to_vec() }).collect())
}

/// Fills a result with numbers.
pub(super) fn write(
    name: &'static str,
    y: &mut Out<'_>,
    values: impl IntoIterator<Item = f64>,
) -> Result<()> {
    floats!(y.data.dtype(), name, T => {
        let y = out::<T>(&mut y.data, name)?;
        y.iter_mut().zip(values).for_each(|(y, value)| *y = value as T);
        Ok(())
    })
}
