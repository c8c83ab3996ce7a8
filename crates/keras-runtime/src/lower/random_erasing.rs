//! `RandomErasing`.

use keras_model::layers::random_erasing::RandomErasing;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Connective, Function};

impl Augment for RandomErasing {
    /// Which pixels are erased, and what stands there then.
    type Drawn = [Value; 2];

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<[Value; 2]> {
        let batch = b.dim(images, 0)?;
        let shares = augment::uniform(b, &[batch, 2], self.scale.range(0.0))?;
        let shares = b.unary(Function::Sqrt, shares)?;
        let (across, down) = (b.at(shares, 1, 0)?, b.at(shares, 1, 1)?);
        let columns = augment::piece(b, images, 2, across)?;
        let rows = augment::piece(b, images, 1, down)?;
        let piece = b.logic(Connective::And, rows, columns)?;
        let applies = augment::applies(b, images, self.factor.range(0.0))?;
        let erased = b.logic(Connective::And, piece, applies)?;
        let [low, high] = self.value_range.given();
        let filled = match self.fill_value {
            None => {
                let shape = b.shape(images).to_vec();
                let noise = b.normal(&shape)?;
                b.scale(noise, high)?
            }
            Some(value) => b.scalar(value.0, b.dtype(images))?,
        };
        let filled = augment::clipped(b, filled, [low, high])?;
        Ok([erased, b.cast(filled, b.dtype(images))?])
    }

    fn change(
        &self,
        b: &mut Builder<'_>,
        images: Value,
        [erased, filled]: &[Value; 2],
    ) -> Result<Value> {
        b.select(*erased, *filled, images)
    }
}
