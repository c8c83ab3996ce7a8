//! `RandomErasing`.

use keras_model::layers::random_erasing::RandomErasing;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Connective, Function, Relation};

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
        let columns = inside(b, images, 2, shares, 0)?;
        let rows = inside(b, images, 1, shares, 1)?;
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

/// Which places of an axis lie in a piece that takes a share of it, anywhere.
fn inside(
    b: &mut Builder<'_>,
    images: Value,
    axis: usize,
    shares: Value,
    at: usize,
) -> Result<Value> {
    let (batch, n) = (b.dim(images, 0)?, b.dim(images, axis as i64)?);
    let share = b.slice(shares, 1, at, at + 1)?;
    let share = b.reshape(share, [batch, 1, 1, 1])?;
    let length = b.scale(share, n as f64)?;
    let room = b.scale(length, -1.0)?;
    let room = b.with_number(Arithmetic::Add, room, n as f64)?;
    let start = augment::for_each(b, images, [0.0, 1.0])?;
    let start = b.mul(start, room)?;
    let end = b.add(start, length)?;
    let mut shape = [1; 4];
    if let Some(to) = shape.get_mut(axis) {
        *to = n;
    }
    let places = (0..n).map(|i| i as f64);
    let places = b.table(shape, b.dtype(start), || places.collect())?;
    let behind = b.compare(Relation::GreaterEqual, places, start)?;
    let before = b.compare(Relation::Less, places, end)?;
    b.logic(Connective::And, behind, before)
}
