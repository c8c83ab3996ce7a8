//! `AutoContrast`: unlike other layers of its kind it does its work while predicting, too.

use keras_model::layers::auto_contrast::AutoContrast;
use keras_model::layers::spatial::DataFormat;

use super::augment::Augment;
use super::image::{self, Part};
use super::{Call, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Reduction, Relation};

pub(super) fn lower(
    layer: &AutoContrast,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    image::each(b, call, |b, x, part| {
        if part != Part::Images {
            return Ok(x);
        }
        let x = b.cast(x, b.compute())?;
        if b.rank(x) != 3 {
            return stretched(layer, b, x);
        }
        let batch = b.expand(x, 0)?;
        let y = stretched(layer, b, batch)?;
        b.at(y, 0, 0)
    })
}

/// As a part of another layer.
impl Augment for AutoContrast {
    type Drawn = ();

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, _b: &mut Builder<'_>, _images: Value) -> Result<()> {
        Ok(())
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, (): &()) -> Result<Value> {
        let x = spatial::restore(b, images, self.data_format)?;
        let y = stretched(self, b, x)?;
        spatial::channels_last(b, y, self.data_format)
    }
}

/// Values stretched to the whole range, over the axes 1 and 2 wherever the channels are.
fn stretched(layer: &AutoContrast, b: &mut Builder<'_>, original: Value) -> Result<Value> {
    let values = layer.value_range.given();
    let x = range(b, original, values, [0.0, 255.0])?;
    let low = b.reduce(Reduction::Min, x, &[1, 2], true)?;
    let high = b.reduce(Reduction::Max, x, &[1, 2], true)?;
    let width = b.sub(high, low)?;
    let full = b.scalar(255.0, b.dtype(x))?;
    let scale = b.div(full, width)?;
    let offset = b.mul(low, scale)?;
    let y = b.mul(x, scale)?;
    let y = b.sub(y, offset)?;
    let y = b.with_number(Arithmetic::Max, y, 0.0)?;
    let y = b.with_number(Arithmetic::Min, y, 255.0)?;
    let y = range(b, y, [0.0, 255.0], values)?;
    // A channel of one value has no contrast.
    let number = b.compare(Relation::Equal, y, y)?;
    b.select(number, y, original)
}

/// Values of one range in another.
pub(super) fn range(b: &mut Builder<'_>, x: Value, from: [f64; 2], to: [f64; 2]) -> Result<Value> {
    if from == to {
        return Ok(x);
    }
    let x = b.with_number(Arithmetic::Sub, x, from[0])?;
    let x = b.with_number(Arithmetic::Div, x, from[1] - from[0])?;
    let x = b.scale(x, to[1] - to[0])?;
    b.with_number(Arithmetic::Add, x, to[0])
}
