//! Who wrote a file: some of what layers and losses do depends on it.

use keras_model::ModelFile;
use keras_model::source::dialect::Generation;

/// The Keras that wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    generation: Generation,
    /// Major and minor version, where it had several backends.
    release: Option<(u32, u32)>,
}

impl Writer {
    /// Keras 3: what holds where there is no file.
    pub(crate) const KERAS3: Self = Self { generation: Generation::Keras3, release: None };

    pub(crate) fn of(file: &ModelFile) -> Self {
        let release = file.multi_backend_release();
        Self { generation: file.generation, release }
    }

    pub(crate) fn is_keras3(self) -> bool {
        self.generation == Generation::Keras3
    }

    /// Whether `BatchNormalization` takes the statistics of the batch in training where it is frozen.
    pub(crate) fn trains_frozen_statistics(self) -> bool {
        self.release.is_some()
    }

    /// Whether penalties on weights and outputs are part of the loss in training alone.
    pub(crate) fn penalises_in_training_only(self) -> bool {
        self.release.is_some_and(|release| release < (1, 2))
    }

    /// Whether a penalty on an output is divided by the size of the batch.
    pub(crate) fn divides_penalties(self) -> bool {
        self.release.is_none_or(|release| release < (2, 0))
    }
}
