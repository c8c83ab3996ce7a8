//! Losses: pieces of graph between targets and predictions, one file for each class of Keras's. The
//! existing reverse mode gives their gradients.
//!
//! To add one: a row in `keras-model`'s `LossKind`, a file here, an arm in [`function`].

mod binary_crossentropy;
mod binary_focal_crossentropy;
mod categorical_crossentropy;
mod categorical_focal_crossentropy;
mod categorical_generalized_cross_entropy;
mod categorical_hinge;
mod circle;
pub(crate) mod cosine_similarity;
mod ctc;
mod dice;
mod hinge;
mod huber;
mod kl_divergence;
mod log_cosh;
mod mean_absolute_error;
mod mean_absolute_percentage_error;
mod mean_squared_error;
mod mean_squared_logarithmic_error;
mod poisson;
pub(crate) mod reduce;
mod sparse_categorical_crossentropy;
mod squared_hinge;
mod tversky;

use keras_model::compile::{Axes, LossKind};

use crate::Result;
use crate::graph::{Builder, Value};

/// The function of a class: targets and predictions to one value per sample, or per place where
/// predictions have more axes. What it masks is the mask of the result.
pub(crate) fn function(
    kind: &LossKind,
    b: &mut Builder<'_>,
    y_true: Value,
    y_pred: Value,
) -> Result<Value> {
    match kind {
        LossKind::MeanSquaredError {} => mean_squared_error::values(b, y_true, y_pred),
        LossKind::MeanAbsoluteError {} => mean_absolute_error::values(b, y_true, y_pred),
        LossKind::MeanAbsolutePercentageError {} => {
            mean_absolute_percentage_error::values(b, y_true, y_pred)
        }
        LossKind::MeanSquaredLogarithmicError {} => {
            mean_squared_logarithmic_error::values(b, y_true, y_pred)
        }
        LossKind::CosineSimilarity { axis } => {
            cosine_similarity::values(b, y_true, y_pred, axis.as_ref())
        }
        LossKind::Huber { delta } => huber::values(b, y_true, y_pred, *delta),
        LossKind::LogCosh {} => log_cosh::values(b, y_true, y_pred),
        LossKind::Hinge {} => hinge::values(b, y_true, y_pred),
        LossKind::SquaredHinge {} => squared_hinge::values(b, y_true, y_pred),
        LossKind::CategoricalHinge {} => categorical_hinge::values(b, y_true, y_pred),
        LossKind::KLDivergence {} => kl_divergence::values(b, y_true, y_pred),
        LossKind::Poisson {} => poisson::values(b, y_true, y_pred),
        LossKind::BinaryCrossentropy { from_logits, label_smoothing, axis } => {
            let arguments = (*from_logits, *label_smoothing, axis.as_ref());
            binary_crossentropy::values(b, y_true, y_pred, arguments)
        }
        LossKind::BinaryFocalCrossentropy {
            apply_class_balancing,
            alpha,
            gamma,
            from_logits,
            label_smoothing,
            axis,
        } => {
            let focus = binary_focal_crossentropy::Focus {
                apply_class_balancing: *apply_class_balancing,
                alpha: *alpha,
                gamma: *gamma,
                from_logits: *from_logits,
                label_smoothing: *label_smoothing,
                axis: axis.as_ref(),
            };
            binary_focal_crossentropy::values(b, y_true, y_pred, &focus)
        }
        LossKind::CategoricalCrossentropy { from_logits, label_smoothing, axis } => {
            let arguments = (*from_logits, *label_smoothing, *axis);
            categorical_crossentropy::values(b, y_true, y_pred, arguments)
        }
        LossKind::CategoricalFocalCrossentropy {
            alpha,
            gamma,
            from_logits,
            label_smoothing,
            axis,
        } => {
            let focus = categorical_focal_crossentropy::Focus {
                alpha,
                gamma: *gamma,
                from_logits: *from_logits,
                label_smoothing: *label_smoothing,
                axis: *axis,
            };
            categorical_focal_crossentropy::values(b, y_true, y_pred, &focus)
        }
        LossKind::SparseCategoricalCrossentropy { from_logits, ignore_class, axis } => {
            let arguments = (*from_logits, *ignore_class, *axis);
            sparse_categorical_crossentropy::values(b, y_true, y_pred, arguments)
        }
        LossKind::CTC {} => ctc::values(b, y_true, y_pred),
        LossKind::Dice { axis } => dice::values(b, y_true, y_pred, axis.as_ref()),
        LossKind::Tversky { alpha, beta, axis } => {
            tversky::values(b, y_true, y_pred, (*alpha, *beta, axis.as_ref()))
        }
        LossKind::Circle { gamma, margin, remove_diagonal } => {
            circle::values(b, y_true, y_pred, (*gamma, *margin, *remove_diagonal))
        }
        LossKind::CategoricalGeneralizedCrossEntropy { q } => {
            categorical_generalized_cross_entropy::values(b, y_true, y_pred, *q)
        }
        LossKind::ChosenCrossentropy {} => {
            let chosen = chosen_crossentropy(b, y_true, y_pred);
            function(&chosen, b, y_true, y_pred)
        }
        LossKind::Custom { .. } => {
            Err(b.error("its code is not Keras's (map its name with keras_runtime::Loader::loss)"))
        }
    }
}

/// Which cross-entropy `"crossentropy"` stands for: by the shapes, as
/// `keras/src/trainers/compile_utils.py` chooses.
fn chosen_crossentropy(b: &Builder<'_>, y_true: Value, y_pred: Value) -> LossKind {
    match Labels::of(b, y_true, y_pred) {
        Labels::Binary => LossKind::BinaryCrossentropy {
            from_logits: false,
            label_smoothing: 0.0,
            axis: Some(Axes::LAST),
        },
        Labels::Sparse => LossKind::SparseCategoricalCrossentropy {
            from_logits: false,
            ignore_class: None,
            axis: -1,
        },
        Labels::Categorical => {
            LossKind::CategoricalCrossentropy { from_logits: false, label_smoothing: 0.0, axis: -1 }
        }
    }
}

/// What labels are, by the shapes: `is_binary_or_sparse_categorical` of
/// `keras/src/trainers/compile_utils.py`, Keras 3.15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labels {
    /// One prediction.
    Binary,
    /// The number of a class.
    Sparse,
    /// A chance for each class.
    Categorical,
}

impl Labels {
    pub(crate) fn of(b: &Builder<'_>, y_true: Value, y_pred: Value) -> Self {
        let (y_true, y_pred) = (b.shape(y_true), b.shape(y_pred));
        let (of_true, of_pred) = (y_true.last(), y_pred.last());
        if of_pred == Some(&1) {
            Self::Binary
        } else if y_true.len() < y_pred.len() || of_true == Some(&1) && of_pred > Some(&1) {
            Self::Sparse
        } else {
            Self::Categorical
        }
    }
}

/// Targets and predictions in the type of the predictions, with as many axes.
pub(crate) fn pair(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<(Value, Value)> {
    let y_true = b.cast(y_true, b.dtype(y_pred))?;
    reduce::same_rank(b, y_true, y_pred, true)
}

/// `1 - x`
fn complement(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let one = b.scalar(1.0, b.dtype(x))?;
    b.sub(one, x)
}

/// The mean along the last axis, which goes.
fn mean(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    mean_over(b, x, Some(&Axes::LAST))
}

/// Axes that may count from the end, counted from the front; all if none are given.
pub(super) fn axes(b: &Builder<'_>, x: Value, axes: Option<&Axes>) -> Result<Vec<usize>> {
    match axes {
        None => Ok((0..b.rank(x)).collect()),
        Some(Axes::One(axis)) => Ok(vec![b.axis(x, *axis)?]),
        Some(Axes::Many(many)) => b.axes(x, many),
    }
}

/// The mean over some axes, which go, or over all.
fn mean_over(b: &mut Builder<'_>, x: Value, over: Option<&Axes>) -> Result<Value> {
    let axes = axes(b, x, over)?;
    b.mean(x, &axes, false)
}

/// The sum over some axes, which go, or over all.
fn sum_over(b: &mut Builder<'_>, x: Value, over: Option<&Axes>) -> Result<Value> {
    let axes = axes(b, x, over)?;
    b.sum(x, &axes, false)
}
