//! `RandomCrop`: the same piece of all images of a batch.

use keras_model::DType;
use keras_model::layers::random_crop::RandomCrop;
use keras_model::layers::spatial::DataFormat;
use keras_model::layers::up_sampling::Interpolation;

use super::augment::{self, Augment};
use super::image;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Function;

impl Augment for RandomCrop {
    /// The first row and column.
    type Drawn = [Start; 2];

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<[Start; 2]> {
        let (rows, columns) = (b.dim(images, 1)?, b.dim(images, 2)?);
        if rows > self.height && columns > self.width {
            let mut start = |room: usize| {
                let start = augment::uniform(b, &[1], [0.0, (room + 1) as f64])?;
                let start = b.unary(Function::Floor, start)?;
                b.cast(start, DType::Int64).map(Start::Drawn)
            };
            return Ok([start(rows - self.height)?, start(columns - self.width)?]);
        }
        // Else what is left around the largest piece with the right proportions.
        let part = |a: usize, n: usize, d: usize, most: usize| {
            let piece = (a.saturating_mul(n) as f64 / d.max(1) as f64) as usize;
            (most - piece.min(most).max(1).min(most)) / 2
        };
        Ok([
            Start::Known(part(columns, self.height, self.width, rows)),
            Start::Known(part(rows, self.width, self.height, columns)),
        ])
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, starts: &[Start; 2]) -> Result<Value> {
        let to = [self.height, self.width];
        let mut x = images;
        for ((axis, start), length) in (1..).zip(starts).zip(to) {
            x = match start {
                Start::Known(start) => {
                    let n = b.dim(x, axis as i64)?;
                    b.slice(x, axis, *start, start.saturating_add(length).min(n))?
                }
                Start::Drawn(start) => {
                    let places = b.indices(0..length)?;
                    let places = b.add(places, *start)?;
                    b.gather(x, places, axis)?
                }
            };
        }
        let format = DataFormat::ChannelsLast;
        image::resize(b, x, format, to, Interpolation::Bilinear, false)
    }

    fn change_masks(&self, b: &mut Builder<'_>, masks: Value, at: &[Start; 2]) -> Result<Value> {
        self.change(b, masks, at)
    }
}

/// Where a piece begins.
pub(super) enum Start {
    Known(usize),
    Drawn(Value),
}
