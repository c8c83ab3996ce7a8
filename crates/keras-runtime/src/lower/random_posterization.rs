//! `RandomPosterization`.

use keras_model::DType;
use keras_model::layers::random_posterization::RandomPosterization;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use super::auto_contrast::range;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

impl Augment for RandomPosterization {
    /// How many of the last bits each image loses.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let [low, high] = self.factor.range(1.0);
        let bits = if low == high {
            b.full([1, 1, 1, 1], low, DType::Float32)?
        } else {
            let bits = augment::for_each(b, images, [low, high])?;
            b.unary(Function::Floor, bits)?
        };
        let lost = b.scale(bits, -1.0)?;
        let lost = b.with_number(Arithmetic::Add, lost, 8.0)?;
        b.cast(lost, DType::Int64)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, lost: &Value) -> Result<Value> {
        let values = self.value_range.sorted();
        let x = range(b, images, values, [0.0, 255.0])?;
        let whole = b.cast(x, DType::UInt8)?;
        let whole = b.cast(whole, DType::Int64)?;
        let short = b.binary(Arithmetic::ShiftRight, whole, *lost)?;
        let y = b.binary(Arithmetic::ShiftLeft, short, *lost)?;
        let y = b.cast(y, b.dtype(images))?;
        range(b, y, [0.0, 255.0], values)
    }
}
