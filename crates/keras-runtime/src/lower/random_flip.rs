//! `RandomFlip`.

use keras_model::layers::random_flip::{FlipMode, RandomFlip};
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Relation;

impl Augment for RandomFlip {
    /// Whether each image is flipped, in all directions of the mode.
    type Drawn = Value;
    const MOVES: bool = true;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let share = augment::for_each(b, images, [0.0, 1.0])?;
        b.compare_number(Relation::LessEqual, share, 0.5)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, flips: &Value) -> Result<Value> {
        let axes: &[usize] = match self.mode {
            FlipMode::Horizontal => &[2],
            FlipMode::Vertical => &[1],
            FlipMode::HorizontalAndVertical => &[2, 1],
        };
        let flipped = axes.iter().try_fold(images, |x, axis| b.flip(x, *axis))?;
        b.select(*flips, flipped, images)
    }

    fn change_masks(&self, b: &mut Builder<'_>, masks: Value, flips: &Value) -> Result<Value> {
        self.change(b, masks, flips)
    }
}
