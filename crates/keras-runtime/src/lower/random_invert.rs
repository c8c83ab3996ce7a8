//! `RandomInvert`.

use keras_model::layers::random_invert::RandomInvert;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

impl Augment for RandomInvert {
    /// Whether each image is inverted.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        augment::applies(b, images, self.factor.range(0.0))
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, applies: &Value) -> Result<Value> {
        let [_, high] = self.value_range.given();
        let inverted = b.scale(images, -1.0)?;
        let inverted = b.with_number(Arithmetic::Add, inverted, high)?;
        b.select(*applies, inverted, images)
    }
}
