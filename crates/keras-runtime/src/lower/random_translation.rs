//! `RandomTranslation`.

use keras_model::layers::random_translation::RandomTranslation;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Column, Project};
use super::ops::image::Projection;
use crate::Result;
use crate::graph::{Builder, Value};

impl Project for RandomTranslation {
    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn projection(&self) -> Projection<'static> {
        augment::projection(self.fill_mode, self.fill_value, self.interpolation)
    }

    fn transforms(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let (rows, columns) = (b.dim(images, 1)?, b.dim(images, 2)?);
        let down = augment::for_each(b, images, self.height_factor.range(-1.0))?;
        let down = b.scale(down, -(rows as f64))?;
        let across = augment::for_each(b, images, self.width_factor.range(-1.0))?;
        let across = b.scale(across, -(columns as f64))?;
        let [x, y] = [across, down].map(Column::Drawn);
        let [one, none] = [1.0, 0.0].map(Column::Number);
        augment::transforms(b, images, [one, none, x, none, one, y, none, none])
    }
}
