//! Random changes of images while training: what they share. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/base_image_preprocessing_layer.py`, Keras 3.15.
//!
//! The numbers are drawn in Keras's order, so that Keras with our random numbers gives the same.

use keras_model::DType;
use keras_model::Float;
use keras_model::layers::image::FillMode;
use keras_model::layers::spatial::DataFormat;
use keras_model::layers::up_sampling::Interpolation;

use super::image::Part;
use super::ops::image::Projection;
use super::{Call, identity, image, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Relation};

/// A layer that changes images at random: batches with channels last.
pub(super) trait Augment {
    /// What is drawn for a batch.
    type Drawn;
    /// Whether pixels change their place.
    const MOVES: bool = false;

    fn data_format(&self) -> DataFormat;

    /// Draws for these images.
    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Self::Drawn>;

    /// The changed images.
    fn change(&self, b: &mut Builder<'_>, images: Value, drawn: &Self::Drawn) -> Result<Value>;

    /// The segmentation masks of the images: what changes colours leaves them as they are.
    fn change_masks(
        &self,
        _b: &mut Builder<'_>,
        masks: Value,
        _drawn: &Self::Drawn,
    ) -> Result<Value> {
        Ok(masks)
    }

    /// Draws and changes.
    fn augment(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let drawn = self.draw(b, images)?;
        self.change(b, images, &drawn)
    }
}

/// One tensor of images or a dict with images, labels and masks; only in training.
pub(super) fn lower<L: Augment>(
    layer: &L,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    if !b.training() {
        return Ok(identity::only_in_training(call));
    }
    let mut drawn = None;
    image::each(b, call, |b, x, part| {
        let x = match part {
            Part::Images => b.cast(x, b.compute())?,
            Part::Masks => x,
            Part::Boxes if L::MOVES => return Err(b.unsupported("training=True with boxes")),
            Part::Boxes => return Ok(x),
        };
        let is_single = b.rank(x) == 3;
        let batch = if is_single { b.expand(x, 0)? } else { x };
        if b.rank(batch) != 4 {
            return Err(b.error(format!("expected images, found shape {:?}", b.shape(x))));
        }
        let batch = spatial::channels_last(b, batch, layer.data_format())?;
        // The images stand before the masks in a dict's order.
        let drawn = match &drawn {
            Some(drawn) => drawn,
            None => drawn.insert(layer.draw(b, batch)?),
        };
        let y = match part {
            Part::Masks => layer.change_masks(b, batch, drawn)?,
            _ => layer.change(b, batch, drawn)?,
        };
        let y = spatial::restore(b, y, layer.data_format())?;
        if is_single { b.at(y, 0, 0) } else { Ok(y) }
    })
}

/// Random numbers of a range.
pub(super) fn uniform(b: &mut Builder<'_>, shape: &[usize], [from, to]: [f64; 2]) -> Result<Value> {
    let shares = b.uniform(shape)?;
    let wide = b.scale(shares, to - from)?;
    b.with_number(Arithmetic::Add, wide, from)
}

/// One random number for each image: `[batch, 1, 1, 1]`.
pub(super) fn for_each(b: &mut Builder<'_>, images: Value, range: [f64; 2]) -> Result<Value> {
    let batch = b.dim(images, 0)?;
    uniform(b, &[batch, 1, 1, 1], range)
}

/// 1 or -1 for each image.
pub(super) fn sign(b: &mut Builder<'_>, images: Value) -> Result<Value> {
    let share = for_each(b, images, [0.0, 1.0])?;
    let is_minus = b.compare_number(Relation::Greater, share, 0.5)?;
    let (minus, plus) = (b.scalar(-1.0, DType::Float32)?, b.scalar(1.0, DType::Float32)?);
    b.select(is_minus, minus, plus)
}

/// Whether each image is changed at all, with a probability that is drawn as well.
pub(super) fn applies(b: &mut Builder<'_>, images: Value, factor: [f64; 2]) -> Result<Value> {
    let probability = for_each(b, images, factor)?;
    let threshold = for_each(b, images, [0.0, 1.0])?;
    b.compare(Relation::Less, threshold, probability)
}

/// Values moved into a range.
pub(super) fn clipped(b: &mut Builder<'_>, x: Value, [low, high]: [f64; 2]) -> Result<Value> {
    b.unary(Function::Clip(low, high), x)
}

/// Shades of grey, with one channel.
pub(super) fn grey(b: &mut Builder<'_>, images: Value) -> Result<Value> {
    let weights = b.numbers([3], vec![0.2989, 0.587, 0.114], b.dtype(images))?;
    let weighted = b.mul(images, weights)?;
    b.sum(weighted, &[3], true)
}

/// The three channels.
pub(super) fn channels(b: &mut Builder<'_>, images: Value) -> Result<[Value; 3]> {
    if b.dim(images, 3)? != 3 {
        return Err(b.error(format!("expected 3 channels, found shape {:?}", b.shape(images))));
    }
    Ok([b.slice(images, 3, 0, 1)?, b.slice(images, 3, 1, 2)?, b.slice(images, 3, 2, 3)?])
}

/// How a layer makes pixels between and outside of those of an image.
pub(super) fn projection(fill: FillMode, value: Float, how: Interpolation) -> Projection<'static> {
    Projection { fill: fill.name(), value: value.0, is_nearest: how == Interpolation::Nearest }
}

/// The rows of eight numbers that say where each pixel comes from, of columns `[batch, 1]` or
/// numbers for all.
pub(super) fn transforms(
    b: &mut Builder<'_>,
    images: Value,
    columns: [Column; 8],
) -> Result<Value> {
    let batch = b.dim(images, 0)?;
    let mut all = Vec::with_capacity(8);
    for column in columns {
        all.push(match column {
            Column::Number(number) => b.full([batch, 1], number, DType::Float32)?,
            Column::Drawn(value) => b.reshape(value, [batch, 1])?,
        });
    }
    b.concat(&all, 1)
}

/// One of the eight numbers of a transform.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Number(f64),
    Drawn(Value),
}
