//! `RandomShear`.

use keras_model::layers::random_shear::RandomShear;
use keras_model::layers::spatial::DataFormat;
use keras_model::layers::up_sampling::Interpolation;

use super::augment::{self, Augment, Column};
use super::ops::image::project;
use crate::Result;
use crate::graph::{Builder, Value};

impl Augment for RandomShear {
    /// Where each pixel comes from.
    type Drawn = Value;
    const MOVES: bool = true;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let sign = augment::sign(b, images)?;
        let y = augment::for_each(b, images, self.y_factor.range(-1.0))?;
        let x = augment::for_each(b, images, self.x_factor.range(-1.0))?;
        let [x, y] = [b.mul(x, sign)?, b.mul(y, sign)?].map(Column::Drawn);
        let [one, none] = [1.0, 0.0].map(Column::Number);
        augment::transforms(b, images, [one, x, none, y, one, none, none, none])
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, transforms: &Value) -> Result<Value> {
        project(
            b,
            images,
            *transforms,
            &augment::projection(self.fill_mode, self.fill_value, self.interpolation),
        )
    }

    fn change_masks(&self, b: &mut Builder<'_>, masks: Value, transforms: &Value) -> Result<Value> {
        project(
            b,
            masks,
            *transforms,
            &augment::projection(self.fill_mode, self.fill_value, Interpolation::Nearest),
        )
    }
}
