//! `RandomRotation`.

use std::f64::consts::PI;

use keras_model::layers::random_rotation::RandomRotation;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Column, Project};
use super::ops::image::Projection;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

impl Project for RandomRotation {
    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn projection(&self) -> Projection<'static> {
        augment::projection(self.fill_mode, self.fill_value, self.interpolation)
    }

    fn transforms(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let range = self.factor.range(-1.0).map(|turns| turns * 360.0);
        let degrees = augment::for_each(b, images, range)?;
        let angle = b.scale(degrees, PI / 180.0)?;
        let (cos, sin) = (b.unary(Function::Cos, angle)?, b.unary(Function::Sin, angle)?);
        let minus = b.unary(Function::Neg, sin)?;
        // The middle stays where it is: c - c_x a - c_y b.
        let middle = |n: usize| 0.5 * (n as f64 - 1.0);
        let (down, across) = (middle(b.dim(images, 1)?), middle(b.dim(images, 2)?));
        let mut shift = |middle: f64, by_x: Value, by_y: Value| {
            let by_x = b.scale(by_x, -across)?;
            let by_x = b.with_number(Arithmetic::Add, by_x, middle)?;
            let by_y = b.scale(by_y, down)?;
            b.sub(by_x, by_y)
        };
        let (x, y) = (shift(across, cos, minus)?, shift(down, sin, cos)?);
        let rows = [cos, minus, x, sin, cos, y].map(Column::Drawn);
        let [a, c, e, d, f, g] = rows;
        let none = Column::Number(0.0);
        augment::transforms(b, images, [a, c, e, d, f, g, none, none])
    }
}
