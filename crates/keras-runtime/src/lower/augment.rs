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
use super::ops::image::{Projection, project};
use super::{Call, identity, image, spatial};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Beta, Connective, Function, Relation};

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

    /// The labels of the images `[batch, classes]`.
    fn change_labels(
        &self,
        _b: &mut Builder<'_>,
        labels: Value,
        _drawn: &Self::Drawn,
    ) -> Result<Value> {
        Ok(labels)
    }

    /// Draws and changes.
    fn augment(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        let drawn = self.draw(b, images)?;
        self.change(b, images, &drawn)
    }
}

/// A layer that moves pixels by projecting the plane of each image.
pub(super) trait Project {
    fn data_format(&self) -> DataFormat;

    /// How it makes pixels between and outside of those of an image.
    fn projection(&self) -> Projection<'static>;

    /// Draws where each pixel comes from: a row of eight numbers for each image.
    fn transforms(&self, b: &mut Builder<'_>, images: Value) -> Result<Value>;
}

impl<L: Project> Augment for L {
    type Drawn = Value;
    const MOVES: bool = true;

    fn data_format(&self) -> DataFormat {
        Project::data_format(self)
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Value> {
        self.transforms(b, images)
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, transforms: &Value) -> Result<Value> {
        project(b, images, *transforms, &self.projection())
    }

    fn change_masks(&self, b: &mut Builder<'_>, masks: Value, transforms: &Value) -> Result<Value> {
        project(b, masks, *transforms, &Projection { is_nearest: true, ..self.projection() })
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
            // The images stand before them in a dict's order.
            Part::Labels => return drawn.as_ref().map_or(Ok(x), |d| layer.change_labels(b, x, d)),
        };
        let is_single = b.rank(x) == 3;
        let batch = if is_single { b.expand(x, 0)? } else { x };
        if b.rank(batch) != 4 {
            return Err(b.error(format!("expected images, found shape {:?}", b.shape(x))));
        }
        let batch = spatial::channels_last(b, batch, layer.data_format())?;
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

/// The images of a batch in another order: their places `[batch]`.
pub(super) fn shuffled(b: &mut Builder<'_>, images: Value) -> Result<Value> {
    let shares = uniform(b, &[b.dim(images, 0)?], [0.0, 1.0])?;
    b.argsort(shares, 0, false)
}

/// A number of the beta distribution with two equal parameters for each image: `[batch]`.
pub(super) fn beta(b: &mut Builder<'_>, images: Value, alpha: Value) -> Result<Value> {
    let shares = uniform(b, &[b.dim(images, 0)?], [0.0, 1.0])?;
    b.op(Beta, &[shares, alpha])
}

/// Each row as a mean with another one: `weight [batch]` is that of the row itself.
pub(super) fn mixed(b: &mut Builder<'_>, x: Value, weight: Value, order: Value) -> Result<Value> {
    let others = b.gather(x, order, 0)?;
    let mut shape = vec![1; b.rank(x)];
    if let Some(rows) = shape.first_mut() {
        *rows = b.dim(weight, 0)?;
    }
    let weight = b.reshape(weight, shape)?;
    let rest = b.scale(weight, -1.0)?;
    let rest = b.with_number(Arithmetic::Add, rest, 1.0)?;
    let (own, other) = (b.mul(weight, x)?, b.mul(rest, others)?);
    b.add(own, other)
}

/// Which places of an axis lie in a piece that takes a share `[batch]` of it, anywhere.
pub(super) fn piece(
    b: &mut Builder<'_>,
    images: Value,
    axis: usize,
    share: Value,
) -> Result<Value> {
    let (batch, n) = (b.dim(images, 0)?, b.dim(images, axis as i64)?);
    let share = b.reshape(share, [batch, 1, 1, 1])?;
    let length = b.scale(share, n as f64)?;
    let room = b.scale(length, -1.0)?;
    let room = b.with_number(Arithmetic::Add, room, n as f64)?;
    let start = for_each(b, images, [0.0, 1.0])?;
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
