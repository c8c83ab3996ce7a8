//! `Solarization`.

use keras_model::layers::solarization::Solarization;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use super::auto_contrast::range;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Relation};

impl Augment for Solarization {
    /// What is added to each image, and from where on values are reversed.
    type Drawn = [Value; 2];

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<[Value; 2]> {
        let [from, to] = self.addition_factor.range(0.0);
        let additions = augment::for_each(b, images, [from, to * 255.0])?;
        let [from, to] = self.threshold_factor.range(0.0);
        let thresholds = augment::for_each(b, images, [from, to * 255.0])?;
        Ok([b.cast(additions, b.compute())?, b.cast(thresholds, b.compute())?])
    }

    fn change(
        &self,
        b: &mut Builder<'_>,
        images: Value,
        [additions, thresholds]: &[Value; 2],
    ) -> Result<Value> {
        let values = self.value_range.sorted();
        let x = range(b, images, values, [0.0, 255.0])?;
        let x = b.add(x, *additions)?;
        let x = augment::clipped(b, x, [0.0, 255.0])?;
        let reversed = b.scale(x, -1.0)?;
        let reversed = b.with_number(Arithmetic::Add, reversed, 255.0)?;
        let is_below = b.compare(Relation::Less, x, *thresholds)?;
        let y = b.select(is_below, x, reversed)?;
        range(b, y, [0.0, 255.0], values)
    }
}
