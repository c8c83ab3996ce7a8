//! `RandomSharpness`.

use keras_model::layers::random_sharpness::RandomSharpness;
use keras_model::layers::spatial::{DataFormat, Padding};

use super::augment::{self, Augment};
use super::ops::image::filtered;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Arithmetic;

impl Augment for RandomSharpness {
    /// The factor of each image: 0 smooths, 2 sharpens.
    type Drawn = Value;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let factor = augment::for_each(b, images, self.factor.range(0.0))?;
        b.scale(factor, 2.0)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, factor: &Value) -> Result<Value> {
        let mut kernel = [1.0 / 13.0; 9];
        kernel[4] = 5.0 / 13.0;
        let smooth = filtered(b, images, [3, 3], &kernel, Padding::Same)?;
        let less = b.scale(*factor, -1.0)?;
        let less = b.with_number(Arithmetic::Add, less, 1.0)?;
        let less = b.cast(less, b.dtype(images))?;
        let way = b.sub(smooth, images)?;
        let way = b.mul(less, way)?;
        let y = b.add(images, way)?;
        augment::clipped(b, y, self.value_range.sorted())
    }
}
