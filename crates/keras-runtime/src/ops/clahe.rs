//! The histogram of each tile of an image made even, with a limit on its slope.

use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single};
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

const LEVELS: usize = 256;

/// Contrast-limited adaptive histogram equalisation of values from 0 to 255.
///
/// # Shapes
/// `x [batch, rows, columns, channels]` to the same.
///
/// # Source
/// `ContrastLimitedAdaptiveHistogramEqualization` of Keras 3.15.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clahe {
    pub(crate) limit: f64,
    /// Tiles along rows and columns.
    pub(crate) tiles: [usize; 2],
}

/// The two tiles (with those at the edges twice) that a place lies between, and the share of the
/// second.
fn neighbours(at: usize, length: usize, tiles: usize) -> (usize, usize, f64) {
    let place = (at as f64 - length as f64 / 2.0) / length as f64 + 1.0;
    let first = place.floor() as usize;
    // The first and the last tile stand for what is beyond the edge.
    let inside = |i: usize| i.saturating_sub(1).min(tiles - 1);
    (inside(first), inside(first + 1), place - place.floor())
}

/// A place beyond the end mirrored, the last one twice.
const fn mirrored(at: usize, n: usize) -> usize {
    let at = at % (2 * n);
    if at < n { at } else { 2 * n - 1 - at }
}

impl Clahe {
    /// What each level of a tile becomes.
    fn curve(self, counts: &[f64], pixels: f64) -> Vec<f64> {
        let mut counts = counts.to_vec();
        if self.limit > 0.0 {
            let limit = self.limit * pixels / LEVELS as f64;
            let excess: f64 = counts.iter().map(|n| (n - limit).max(0.0)).sum();
            for n in &mut counts {
                *n = n.min(limit) + excess / LEVELS as f64;
            }
        }
        let mut sum = 0.0;
        for n in &mut counts {
            sum += *n;
            *n = sum;
        }
        let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
        let width = if pixels == least { 1.0 } else { pixels - least };
        counts.iter().map(|n| ((n - least) * 255.0 / width).clamp(0.0, 255.0)).collect()
    }

    fn channel(self, x: &dyn Fn(usize, usize) -> f64, rows: usize, columns: usize) -> Vec<f64> {
        let [down, across] = self.tiles;
        let (height, width) = (rows.div_ceil(down), columns.div_ceil(across));
        let mut curves = Vec::with_capacity(down * across);
        for tile in 0..down * across {
            let mut counts = vec![0.0; LEVELS];
            for pixel in 0..height * width {
                let row = (tile / across) * height + pixel / width;
                let column = (tile % across) * width + pixel % width;
                counts[level(x(mirrored(row, rows), mirrored(column, columns)))] += 1.0;
            }
            curves.push(self.curve(&counts, (height * width) as f64));
        }
        let mut y = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let (top, bottom, low) = neighbours(row, height, down);
            for column in 0..columns {
                let (left, right, far) = neighbours(column, width, across);
                let level = level(x(row, column));
                let at = |r: usize, c: usize| curves[r * across + c][level];
                let upper = at(top, left) * (1.0 - far) + at(top, right) * far;
                let lower = at(bottom, left) * (1.0 - far) + at(bottom, right) * far;
                y.push(upper * (1.0 - low) + lower * low);
            }
        }
        y
    }
}

fn level(x: f64) -> usize {
    x.clamp(0.0, 255.0) as usize
}

impl Operator for Clahe {
    const NAME: &'static str = "clahe";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if x.shape.len() != 4 || self.tiles.contains(&0) {
            return Err(Error::op(Self::NAME, format!("{:?} tiles of {:?}", self.tiles, x.shape)));
        }
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let [batch, rows, columns, channels] = [0, 1, 2, 3].map(|axis| x.shape[axis]);
        floats!(x.data.dtype(), Self::NAME, T => {
            let x = x.of::<T>(Self::NAME)?;
            let y = out::<T>(&mut y.data, Self::NAME)?;
            for image in 0..batch {
                for channel in 0..channels {
                    let place = |row: usize, column: usize| {
                        ((image * rows + row) * columns + column) * channels + channel
                    };
                    let at = |row: usize, column: usize| x[place(row, column)] as f64;
                    let made = self.channel(&at, rows, columns);
                    for (i, value) in made.into_iter().enumerate() {
                        y[place(i / columns, i % columns)] = value as T;
                    }
                }
            }
            Ok(())
        })
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        // Its curves are read at whole numbers.
        nothing(x)
    }
}

#[test]
fn the_only_level_becomes_the_brightest() {
    let x = crate::Tensor::new([1, 4, 4, 1], vec![7.0_f32; 16]).unwrap();
    let y = super::run(Clahe { limit: 0.0, tiles: [2, 2] }, &[x]).unwrap();

    assert!(y.as_slice::<f32>().unwrap().iter().all(|v| *v == 255.0));
}
