//! `RandomGaussianBlur`.

use keras_model::layers::random_gaussian_blur::RandomGaussianBlur;
use keras_model::layers::spatial::{DataFormat, Padding};

use super::augment::{self, Augment};
use super::spatial;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Depthwise, Function};

impl Augment for RandomGaussianBlur {
    /// Whether each image is blurred, and the two deviations `[2]` of the bell.
    type Drawn = [Value; 2];

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<[Value; 2]> {
        let applies = augment::applies(b, images, self.factor.range(0.0))?;
        let sigma = augment::uniform(b, &[2], self.sigma.range(0.0))?;
        Ok([applies, b.with_number(Arithmetic::Add, sigma, 1e-6)?])
    }

    fn change(
        &self,
        b: &mut Builder<'_>,
        images: Value,
        [applies, sigma]: &[Value; 2],
    ) -> Result<Value> {
        let [across, down] = self.kernel_size.0;
        // TensorFlow's backend lays the bells across each other the other way round.
        let (rows, columns) = (bell(b, down, *sigma, 1)?, bell(b, across, *sigma, 0)?);
        let (rows, columns) = (b.expand(rows, 1)?, b.expand(columns, 0)?);
        let kernel = b.mul(rows, columns)?;
        let channels = b.dim(images, 3)?;
        let kernel = b.reshape(kernel, [across, down, 1, 1])?;
        let kernel = b.broadcast_to(kernel, [across, down, channels, 1])?;
        let kernel = b.cast(kernel, b.dtype(images))?;
        let window = spatial::window(b, images, &[across, down], &[1, 1], &[1, 1], Padding::Same)?;
        let blurred = b.op(Depthwise::new(window), &[images, kernel])?;
        let y = b.select(*applies, blurred, images)?;
        augment::clipped(b, y, self.value_range.given())
    }
}

/// Gauss's bell at so many places, its sum 1.
fn bell(b: &mut Builder<'_>, n: usize, sigma: Value, at: usize) -> Result<Value> {
    let middle = (n as f64 - 1.0) / 2.0;
    let places = b.table([n], b.dtype(sigma), || (0..n).map(|i| i as f64 - middle).collect())?;
    let sigma = b.slice(sigma, 0, at, at + 1)?;
    let scaled = b.div(places, sigma)?;
    let squares = b.unary(Function::Square, scaled)?;
    let powers = b.scale(squares, -0.5)?;
    let heights = b.unary(Function::Exp, powers)?;
    let sum = b.sum(heights, &[0], true)?;
    b.div(heights, sum)
}
