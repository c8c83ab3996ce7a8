//! `CutMix`: a piece of each image from another one of the batch.

use keras_model::DType;
use keras_model::layers::cut_mix::CutMix;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Connective, Function};

/// What is drawn.
pub(super) struct Drawn {
    /// Which pixels come from the other image.
    piece: Value,
    /// What is left of the image itself `[batch]`.
    weight: Value,
    /// Which image is the other.
    order: Value,
}

impl Augment for CutMix {
    type Drawn = Drawn;
    const MOVES: bool = true;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Drawn> {
        let alpha = augment::uniform(b, &[], self.factor.range(0.0))?;
        let alpha = b.with_number(Arithmetic::Add, alpha, 1e-6)?;
        let weight = augment::beta(b, images, alpha)?;
        let rest = b.scale(weight, -1.0)?;
        let rest = b.with_number(Arithmetic::Add, rest, 1.0)?;
        let share = b.unary(Function::Sqrt, rest)?;
        let columns = augment::piece(b, images, 2, share)?;
        let rows = augment::piece(b, images, 1, share)?;
        let piece = b.logic(Connective::And, rows, columns)?;
        let area = b.unary(Function::Square, share)?;
        let weight = b.scale(area, -1.0)?;
        let weight = b.with_number(Arithmetic::Add, weight, 1.0)?;
        Ok(Drawn { piece, weight, order: augment::shuffled(b, images)? })
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, drawn: &Drawn) -> Result<Value> {
        let others = b.gather(images, drawn.order, 0)?;
        b.select(drawn.piece, others, images)
    }

    fn change_labels(&self, b: &mut Builder<'_>, labels: Value, drawn: &Drawn) -> Result<Value> {
        let labels = b.cast(labels, DType::Float32)?;
        augment::mixed(b, labels, drawn.weight, drawn.order)
    }

    fn change_masks(&self, b: &mut Builder<'_>, masks: Value, drawn: &Drawn) -> Result<Value> {
        self.change(b, masks, drawn)
    }
}
