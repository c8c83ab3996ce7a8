//! `RandomZoom`.

use keras_model::layers::random_zoom::RandomZoom;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Column, Project};
use super::ops::image::Projection;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

impl Project for RandomZoom {
    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn projection(&self) -> Projection<'static> {
        augment::projection(self.fill_mode, self.fill_value, self.interpolation)
    }

    fn transforms(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let around_one = |range: [f64; 2]| range.map(|by| 1.0 + by);
        let high = augment::for_each(b, images, around_one(self.height_factor.range(-1.0)))?;
        let wide = match self.width_factor {
            Some(factor) => augment::for_each(b, images, around_one(factor.range(-1.0)))?,
            None => high,
        };
        let (rows, columns) = (b.dim(images, 1)?, b.dim(images, 2)?);
        // The middle stays where it is.
        let mut shift = |n: usize, zoom: Value| {
            let less = b.scale(zoom, -1.0)?;
            let less = b.with_number(Arithmetic::Add, less, 1.0)?;
            b.scale(less, (n as f64 - 1.0) / 2.0)
        };
        let (x, y) = (shift(columns, wide)?, shift(rows, high)?);
        let [wide, x, high, y] = [wide, x, high, y].map(Column::Drawn);
        let none = Column::Number(0.0);
        augment::transforms(b, images, [wide, none, x, none, high, y, none, none])
    }
}
