//! `RandomHue`.

use keras_model::layers::random_hue::RandomHue;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use super::auto_contrast::range;
use super::ops::image::{to_hsv, to_rgb};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Relation};

impl Augment for RandomHue {
    /// By how much of the circle the hue of each image changes.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let sign = augment::sign(b, images)?;
        let factor = augment::for_each(b, images, self.factor.range(0.0))?;
        let turn = b.mul(sign, factor)?;
        b.scale(turn, 0.5)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, turn: &Value) -> Result<Value> {
        let values = self.value_range.given();
        let x = range(b, images, values, [0.0, 1.0])?;
        let parts = augment::channels(b, x)?;
        let [hue, saturation, value] = to_hsv(b, parts)?;
        let turn = b.cast(*turn, b.dtype(x))?;
        let hue = b.add(hue, turn)?;
        let back = b.with_number(Arithmetic::Sub, hue, 1.0)?;
        let is_over = b.compare_number(Relation::Greater, hue, 1.0)?;
        let hue = b.select(is_over, back, hue)?;
        let forth = b.with_number(Arithmetic::Add, hue, 1.0)?;
        let is_under = b.compare_number(Relation::Less, hue, 0.0)?;
        let hue = b.select(is_under, forth, hue)?;
        let parts = to_rgb(b, [hue, saturation, value])?;
        let y = b.concat(&parts, 3)?;
        let y = augment::clipped(b, y, [0.0, 1.0])?;
        range(b, y, [0.0, 1.0], values)
    }
}
