//! `RandomGrayscale`.

use keras_model::layers::random_grayscale::RandomGrayscale;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Relation;

impl Augment for RandomGrayscale {
    /// Whether each image loses its colours.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let share = augment::for_each(b, images, [0.0, 1.0])?;
        b.compare_number(Relation::Less, share, self.factor.0)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, applies: &Value) -> Result<Value> {
        augment::channels(b, images)?;
        let grey = augment::grey(b, images)?;
        b.select(*applies, grey, images)
    }
}
