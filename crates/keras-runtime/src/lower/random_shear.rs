//! `RandomShear`.

use keras_model::layers::random_shear::RandomShear;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Column, Project};
use super::ops::image::Projection;
use crate::Result;
use crate::graph::{Builder, Value};

impl Project for RandomShear {
    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn projection(&self) -> Projection<'static> {
        augment::projection(self.fill_mode, self.fill_value, self.interpolation)
    }

    fn transforms(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let sign = augment::sign(b, images)?;
        let y = augment::for_each(b, images, self.y_factor.range(-1.0))?;
        let x = augment::for_each(b, images, self.x_factor.range(-1.0))?;
        let [x, y] = [b.mul(x, sign)?, b.mul(y, sign)?].map(Column::Drawn);
        let [one, none] = [1.0, 0.0].map(Column::Number);
        augment::transforms(b, images, [one, x, none, y, one, none, none, none])
    }
}
