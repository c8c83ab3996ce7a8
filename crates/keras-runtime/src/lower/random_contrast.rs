//! `RandomContrast`.

use keras_model::layers::random_contrast::RandomContrast;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};

impl Augment for RandomContrast {
    /// The factor of each image.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let [less, more] = self.factor.range(0.0);
        let factor = augment::for_each(b, images, [1.0 - less, 1.0 + more])?;
        b.cast(factor, b.compute())
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, factor: &Value) -> Result<Value> {
        let mean = b.mean(images, &[1, 2], true)?;
        let distance = b.sub(images, mean)?;
        let distance = b.mul(distance, *factor)?;
        let y = b.add(distance, mean)?;
        augment::clipped(b, y, self.value_range.given())
    }
}
