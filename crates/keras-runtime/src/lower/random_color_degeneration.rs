//! `RandomColorDegeneration`.

use keras_model::layers::random_color_degeneration::RandomColorDegeneration;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};

impl Augment for RandomColorDegeneration {
    /// How much of its colours each image loses.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        augment::for_each(b, images, self.factor.range(-1.0))
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, factor: &Value) -> Result<Value> {
        augment::channels(b, images)?;
        let grey = augment::grey(b, images)?;
        let way = b.sub(grey, images)?;
        let factor = b.cast(*factor, b.dtype(images))?;
        let way = b.mul(factor, way)?;
        let y = b.add(images, way)?;
        augment::clipped(b, y, self.value_range.sorted())
    }
}
