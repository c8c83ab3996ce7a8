//! `MixUp`: each image as a mean with another one of the batch.

use keras_model::DType;
use keras_model::layers::mix_up::MixUp;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};

impl Augment for MixUp {
    /// The weight of each image itself `[batch]`, and which one is mixed in.
    type Drawn = [Value; 2];
    const MOVES: bool = true;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<[Value; 2]> {
        let order = augment::shuffled(b, images)?;
        let alpha = b.scalar(self.alpha.0, DType::Float32)?;
        Ok([augment::beta(b, images, alpha)?, order])
    }

    fn change(
        &self,
        b: &mut Builder<'_>,
        images: Value,
        &[weight, order]: &[Value; 2],
    ) -> Result<Value> {
        augment::mixed(b, images, weight, order)
    }

    fn change_labels(
        &self,
        b: &mut Builder<'_>,
        labels: Value,
        &[weight, order]: &[Value; 2],
    ) -> Result<Value> {
        augment::mixed(b, labels, weight, order)
    }

    /// Keras takes single elements of masks for whole ones.
    fn change_masks(&self, b: &mut Builder<'_>, _masks: Value, _: &[Value; 2]) -> Result<Value> {
        Err(b.unsupported("training=True with segmentation masks"))
    }
}
