//! `Equalization`: not random, but only in training too.

use keras_model::DType;
use keras_model::layers::equalization::Equalization;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Reduction, Relation, Scatter, Scattering, size};

impl Augment for Equalization {
    type Drawn = ();

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, _b: &mut Builder<'_>, _images: Value) -> Result<()> {
        Ok(())
    }

    /// Each channel by itself, over the whole batch.
    fn change(&self, b: &mut Builder<'_>, images: Value, (): &()) -> Result<Value> {
        let range = self.value_range.sorted();
        let mut parts = Vec::new();
        for i in 0..b.dim(images, 3)? {
            let channel = b.slice(images, 3, i, i + 1)?;
            let x = scaled(b, channel, range, [0.0, 255.0])?;
            let y = equalized(b, x, self.bins)?;
            parts.push(scaled(b, y, [0.0, 255.0], range)?);
        }
        b.concat(&parts, 3)
    }
}

fn scaled(b: &mut Builder<'_>, x: Value, from: [f64; 2], to: [f64; 2]) -> Result<Value> {
    let scale = (to[1] - to[0]) / (from[1] - from[0]);
    let x = b.scale(x, scale)?;
    b.with_number(Arithmetic::Add, x, to[0] - from[0] * scale)
}

/// Values from 0 to 255, spread so that all are about as frequent.
fn equalized(b: &mut Builder<'_>, x: Value, bins: usize) -> Result<Value> {
    let most = bins.saturating_sub(1) as f64;
    let place = |b: &mut Builder<'_>, x: Value| {
        let x = b.cast(x, DType::Float32)?;
        let x = b.scale(x, most)?;
        let x = b.with_number(Arithmetic::Div, x, 255.0)?;
        let x = augment::clipped(b, x, [0.0, most])?;
        b.cast(x, DType::Int64)
    };
    let places = place(b, x)?;
    let count = size(b.shape(x));
    let flat = b.reshape(places, [count])?;
    let (zero, ones) = (b.full([bins], 0.0, DType::Int64)?, b.full([count], 1.0, DType::Int64)?);
    let op = Scatter { how: Scattering::Add, negative_skips: true };
    let histogram = b.op(op, &[zero, flat, ones])?;
    let below = b.cumulative(histogram, 0, false)?;
    // The first number of the sums that is not 0, and the last.
    let is_empty = b.compare_number(Relation::Equal, below, 0.0)?;
    let all = b.scalar(count as f64, DType::Int64)?;
    let first = b.select(is_empty, all, below)?;
    let first = b.reduce(Reduction::Min, first, &[0], true)?;
    let rest = b.sub(all, first)?;
    let rest = b.with_number(Arithmetic::Max, rest, 1.0)?;
    let table = b.sub(below, first)?;
    let table = b.scale(table, 255.0)?;
    let (table, rest) = (b.cast(table, DType::Float64)?, b.cast(rest, DType::Float64)?);
    let table = b.div(table, rest)?;
    let table = b.unary(Function::Round, table)?;
    let table = augment::clipped(b, table, [0.0, 255.0])?;
    let table = b.cast(table, b.dtype(x))?;
    let y = b.gather(table, places, 0)?;
    // A channel of one value stays.
    let used = b.compare_number(Relation::Greater, histogram, 0.0)?;
    let used = b.cast(used, DType::Int64)?;
    let used = b.sum(used, &[0], false)?;
    let is_flat = b.compare_number(Relation::LessEqual, used, 1.0)?;
    b.select(is_flat, x, y)
}
