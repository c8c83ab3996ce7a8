//! `RandomBrightness`.

use keras_model::layers::random_brightness::RandomBrightness;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};

impl Augment for RandomBrightness {
    /// What is added to each image.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let share = augment::for_each(b, images, self.factor.range(-1.0))?;
        let [low, high] = self.value_range.sorted();
        b.scale(share, high - low)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, delta: &Value) -> Result<Value> {
        let delta = b.cast(*delta, b.dtype(images))?;
        let y = b.add(images, delta)?;
        augment::clipped(b, y, self.value_range.sorted())
    }
}
