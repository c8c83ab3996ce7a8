//! `RandomSaturation`.

use keras_model::layers::random_saturation::RandomSaturation;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use super::ops::image::{to_hsv, to_rgb};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

impl Augment for RandomSaturation {
    /// The factor of each image.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let factor = augment::for_each(b, images, self.factor.range(-1.0))?;
        // From 0 by way of 1 to infinity; Keras's `backend.epsilon()`.
        let rest = b.scale(factor, -1.0)?;
        let rest = b.with_number(Arithmetic::Add, rest, 1.0)?;
        let rest = b.with_number(Arithmetic::Add, rest, 1e-7)?;
        b.div(factor, rest)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, factor: &Value) -> Result<Value> {
        let parts = augment::channels(b, images)?;
        let [hue, saturation, value] = to_hsv(b, parts)?;
        let factor = b.cast(*factor, b.dtype(images))?;
        let saturation = b.mul(saturation, factor)?;
        let saturation = augment::clipped(b, saturation, self.value_range.sorted())?;
        let parts = to_rgb(b, [hue, saturation, value])?;
        b.concat(&parts, 3)
    }
}
