//! Metrics: pieces of graph that say what a batch adds to their variables, and what the variables
//! mean. One file for each family of Keras's classes; functions that are losses too are those of
//! [`losses`](super::losses).
//!
//! To add one: a row in `keras-model`'s `MetricKind`, a file here, an arm in [`measure`].

mod accuracy;
mod auc;
mod confusion;
mod correlation;
mod f_score;
mod iou;
mod mean;
mod r2_score;
mod root_mean_squared_error;
mod sensitivity_specificity;

use keras_model::DType;
use keras_model::compile::{Axes, LossKind, MetricKind, OneOrMany};

use super::Code;
use super::losses::{self, Labels, cosine_similarity};
use crate::graph::{Builder, Value};
use crate::{Error, Result};
use confusion::{Counting, Counts, share};
use sensitivity_specificity::Share;

/// What a metric compares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    pub(super) y_true: Value,
    pub(super) y_pred: Value,
    pub(super) weight: Option<Value>,
    /// What its variables are.
    pub(super) dtype: DType,
}

/// How a class counts, and what comes of it.
enum Measure<'k> {
    /// The weighted mean of a function's values.
    MeanOf(Function<'k>),
    RootMeanSquare,
    Mean,
    Sum,
    /// One of the four counts.
    Count(Counting, fn(&Counts) -> Value),
    Precision(Counting),
    Recall(Counting),
    /// The best of one share where another one is at least so large.
    Best(Counting, Share, Share, f64),
    Area(auc::Area<'k>),
    Score(f_score::Score<'k>),
    /// Some of the classes, or all; from which chance on it is the second one, if there are two.
    Overlap(iou::Classes, Option<&'k [usize]>, Option<f64>),
    R2 {
        class_aggregation: Option<&'k str>,
        num_regressors: usize,
    },
}

/// A function whose values are averaged.
type Function<'k> = Box<dyn Fn(&mut Builder<'_>, Value, Value) -> Result<Value> + 'k>;

fn mean_of<'k>(
    function: impl Fn(&mut Builder<'_>, Value, Value) -> Result<Value> + 'k,
) -> Measure<'k> {
    Measure::MeanOf(Box::new(function))
}

/// The mean of what is a loss as well.
fn mean_of_loss<'k>(kind: LossKind) -> Measure<'k> {
    mean_of(move |b, y_true, y_pred| losses::function(&kind, b, y_true, y_pred))
}

/// The row of each class; `code` is what the caller supplied for one that is not Keras's.
fn measure<'k>(
    kind: &'k MetricKind,
    code: Option<&'k Code>,
    b: &Builder<'_>,
) -> Result<Measure<'k>> {
    let count = |thresholds: &Option<OneOrMany>, which: fn(&Counts) -> Value| {
        let counting = Counting::new(b, thresholds.as_ref(), 0.5)?;
        Ok::<_, Error>(Measure::Count(counting, which))
    };
    let found = |thresholds: &Option<OneOrMany>, top_k: Option<usize>, class_id: Option<usize>| {
        let default = if top_k.is_some() { confusion::LEAST } else { 0.5 };
        let counting = Counting::new(b, thresholds.as_ref(), default)?;
        Ok::<_, Error>(Counting { top_k, class_id, ..counting })
    };
    let best = |num_thresholds: usize, class_id: Option<usize>, found, bound, least: f64| {
        let counting = sensitivity_specificity::counting(b, num_thresholds, class_id)?;
        Ok::<_, Error>(Measure::Best(counting, found, bound, least))
    };
    let overlap = |count: usize, ignore_class: Option<i64>, sparse: [bool; 2], axis: i64| {
        iou::Classes { count, ignore_class, sparse, axis }
    };
    Ok(match kind {
        MetricKind::Accuracy {} => mean_of(accuracy::equal),
        MetricKind::BinaryAccuracy { threshold } => {
            mean_of(|b, y_true, y_pred| accuracy::binary(b, y_true, y_pred, *threshold))
        }
        MetricKind::CategoricalAccuracy {} => mean_of(accuracy::categorical),
        MetricKind::SparseCategoricalAccuracy {} => mean_of(accuracy::sparse),
        MetricKind::TopKCategoricalAccuracy { k } => {
            mean_of(|b, y_true, y_pred| accuracy::top_k(b, y_true, y_pred, *k))
        }
        MetricKind::SparseTopKCategoricalAccuracy { k, from_sorted_ids } => {
            mean_of(|b, y_true, y_pred| {
                accuracy::sparse_top_k(b, y_true, y_pred, *k, *from_sorted_ids)
            })
        }
        MetricKind::FalsePositives { thresholds } => count(thresholds, |c| c.false_positives)?,
        MetricKind::FalseNegatives { thresholds } => count(thresholds, |c| c.false_negatives)?,
        MetricKind::TrueNegatives { thresholds } => count(thresholds, |c| c.true_negatives)?,
        MetricKind::TruePositives { thresholds } => count(thresholds, |c| c.true_positives)?,
        MetricKind::Precision { thresholds, top_k, class_id } => {
            Measure::Precision(found(thresholds, *top_k, *class_id)?)
        }
        MetricKind::Recall { thresholds, top_k, class_id } => {
            Measure::Recall(found(thresholds, *top_k, *class_id)?)
        }
        MetricKind::SensitivityAtSpecificity { specificity, num_thresholds, class_id } => {
            best(*num_thresholds, *class_id, Share::Sensitivity, Share::Specificity, *specificity)?
        }
        MetricKind::SpecificityAtSensitivity { sensitivity, num_thresholds, class_id } => {
            best(*num_thresholds, *class_id, Share::Specificity, Share::Sensitivity, *sensitivity)?
        }
        MetricKind::PrecisionAtRecall { recall, num_thresholds, class_id } => {
            best(*num_thresholds, *class_id, Share::Precision, Share::Sensitivity, *recall)?
        }
        MetricKind::RecallAtPrecision { precision, num_thresholds, class_id } => {
            best(*num_thresholds, *class_id, Share::Sensitivity, Share::Precision, *precision)?
        }
        MetricKind::AUC {
            num_thresholds,
            curve,
            summation_method,
            thresholds,
            multi_label,
            num_labels: _,
            label_weights,
            from_logits,
        } => Measure::Area(auc::Area {
            num_thresholds: *num_thresholds,
            curve,
            summation_method,
            thresholds: thresholds.as_deref(),
            multi_label: *multi_label,
            label_weights: label_weights.as_ref(),
            from_logits: *from_logits,
        }),
        MetricKind::PearsonCorrelation { axis } => {
            mean_of(|b, y_true, y_pred| correlation::pearson(b, y_true, y_pred, axis))
        }
        MetricKind::ConcordanceCorrelation { axis } => {
            mean_of(|b, y_true, y_pred| correlation::concordance(b, y_true, y_pred, axis))
        }
        MetricKind::FBetaScore { average, beta, threshold } => Measure::Score(f_score::Score {
            average: average.as_deref(),
            beta: *beta,
            threshold: *threshold,
        }),
        MetricKind::F1Score { average, threshold } => Measure::Score(f_score::Score {
            average: average.as_deref(),
            beta: 1.0,
            threshold: *threshold,
        }),
        MetricKind::Hinge {} => mean_of_loss(LossKind::Hinge {}),
        MetricKind::SquaredHinge {} => mean_of_loss(LossKind::SquaredHinge {}),
        MetricKind::CategoricalHinge {} => mean_of_loss(LossKind::CategoricalHinge {}),
        MetricKind::IoU {
            num_classes,
            target_class_ids,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        } => Measure::Overlap(
            overlap(*num_classes, *ignore_class, [*sparse_y_true, *sparse_y_pred], *axis),
            Some(target_class_ids),
            None,
        ),
        MetricKind::BinaryIoU { target_class_ids, threshold } => Measure::Overlap(
            overlap(2, None, [true, true], -1),
            Some(target_class_ids),
            Some(*threshold),
        ),
        MetricKind::MeanIoU { num_classes, ignore_class, sparse_y_true, sparse_y_pred, axis } => {
            let sparse = [*sparse_y_true, *sparse_y_pred];
            Measure::Overlap(overlap(*num_classes, *ignore_class, sparse, *axis), None, None)
        }
        MetricKind::OneHotIoU {
            num_classes,
            target_class_ids,
            ignore_class,
            sparse_y_pred,
            axis,
        } => Measure::Overlap(
            overlap(*num_classes, *ignore_class, [false, *sparse_y_pred], *axis),
            Some(target_class_ids),
            None,
        ),
        MetricKind::OneHotMeanIoU { num_classes, ignore_class, sparse_y_pred, axis } => {
            let sparse = [false, *sparse_y_pred];
            Measure::Overlap(overlap(*num_classes, *ignore_class, sparse, *axis), None, None)
        }
        MetricKind::KLDivergence {} => mean_of_loss(LossKind::KLDivergence {}),
        MetricKind::Poisson {} => mean_of_loss(LossKind::Poisson {}),
        &MetricKind::BinaryCrossentropy { from_logits, label_smoothing } => {
            let axis = Some(Axes::LAST);
            mean_of_loss(LossKind::BinaryCrossentropy { from_logits, label_smoothing, axis })
        }
        &MetricKind::CategoricalCrossentropy { from_logits, label_smoothing, axis } => {
            mean_of_loss(LossKind::CategoricalCrossentropy { from_logits, label_smoothing, axis })
        }
        &MetricKind::SparseCategoricalCrossentropy { from_logits, ignore_class, axis } => {
            let kind = LossKind::SparseCategoricalCrossentropy { from_logits, ignore_class, axis };
            mean_of_loss(kind)
        }
        MetricKind::Sum {} => Measure::Sum,
        MetricKind::Mean {} => Measure::Mean,
        MetricKind::MeanSquaredError {} => mean_of_loss(LossKind::MeanSquaredError {}),
        MetricKind::MeanAbsoluteError {} => mean_of_loss(LossKind::MeanAbsoluteError {}),
        MetricKind::MeanAbsolutePercentageError {} => {
            mean_of_loss(LossKind::MeanAbsolutePercentageError {})
        }
        MetricKind::MeanSquaredLogarithmicError {} => {
            mean_of_loss(LossKind::MeanSquaredLogarithmicError {})
        }
        MetricKind::RootMeanSquaredError {} => Measure::RootMeanSquare,
        MetricKind::CosineSimilarity { axis } => {
            mean_of(|b, y_true, y_pred| cosine_similarity::cosine(b, y_true, y_pred, axis.as_ref()))
        }
        MetricKind::LogCoshError {} => mean_of_loss(LossKind::LogCosh {}),
        MetricKind::R2Score { class_aggregation, num_regressors } => Measure::R2 {
            class_aggregation: class_aggregation.as_deref(),
            num_regressors: *num_regressors,
        },
        MetricKind::ChosenAccuracy {} => mean_of(chosen_accuracy),
        MetricKind::ChosenCrossentropy {} => mean_of_loss(LossKind::ChosenCrossentropy {}),
        MetricKind::Custom { config, .. } => match (code, kind.loss()) {
            (Some(code), _) => mean_of(|b, y_true, y_pred| code.call(b, config, y_true, y_pred)),
            (None, Some(loss)) => mean_of_loss(loss),
            (None, None) => {
                let reason =
                    "its code is not Keras's (map its name with keras_runtime::Loader::metric)";
                return Err(b.error(reason));
            }
        },
    })
}

/// Which accuracy `"accuracy"` stands for: by the shapes.
fn chosen_accuracy(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    match Labels::of(b, y_true, y_pred) {
        Labels::Binary => accuracy::binary(b, y_true, y_pred, 0.5),
        Labels::Sparse => accuracy::sparse(b, y_true, y_pred),
        Labels::Categorical => accuracy::categorical(b, y_true, y_pred),
    }
}

/// What a batch adds to the variables of a class, in the order of the variables.
pub(super) fn add(
    kind: &MetricKind,
    code: Option<&Code>,
    b: &mut Builder<'_>,
    samples: Compared,
) -> Result<Vec<Value>> {
    let Compared { y_true, y_pred, weight, dtype } = samples;
    match measure(kind, code, b)? {
        Measure::MeanOf(function) => {
            let values = function(b, y_true, y_pred)?;
            mean::add_masked(b, values, b.mask(y_pred), weight, dtype)
        }
        Measure::RootMeanSquare => root_mean_squared_error::add(b, y_true, y_pred, weight, dtype),
        Measure::Mean => mean::add(b, y_pred, weight, dtype),
        Measure::Sum => mean::add_sum(b, y_pred, weight, dtype),
        Measure::Count(counting, which) => {
            let counts = counting.count(b, y_true, y_pred, weight)?;
            Ok(vec![which(&counts)])
        }
        Measure::Precision(counting) => {
            let counts = counting.count(b, y_true, y_pred, weight)?;
            Ok(vec![counts.true_positives, counts.false_positives])
        }
        Measure::Recall(counting) => {
            let counts = counting.count(b, y_true, y_pred, weight)?;
            Ok(vec![counts.true_positives, counts.false_negatives])
        }
        Measure::Best(counting, ..) => {
            counting.count(b, y_true, y_pred, weight).map(Counts::variables)
        }
        Measure::Area(curve) => {
            let counting = curve.counting(b)?;
            let y_pred = curve.chances(b, y_pred)?;
            counting.count(b, y_true, y_pred, weight).map(Counts::variables)
        }
        Measure::Score(score) => score.add(b, y_true, y_pred, weight, dtype),
        Measure::Overlap(classes, _, threshold) => {
            let y_pred = match threshold {
                Some(threshold) => iou::from_threshold(b, y_pred, threshold)?,
                None => y_pred,
            };
            classes.add(b, y_true, y_pred, weight, dtype)
        }
        Measure::R2 { .. } => r2_score::add(b, y_true, y_pred, weight, dtype),
    }
}

/// What the variables of a class mean: a number, or one for each threshold or class.
pub(super) fn result(
    kind: &MetricKind,
    code: Option<&Code>,
    b: &mut Builder<'_>,
    variables: &[Value],
) -> Result<Value> {
    let measure = measure(kind, code, b)?;
    match (measure, variables) {
        (Measure::RootMeanSquare, &[total, count]) => {
            root_mean_squared_error::result(b, [total, count])
        }
        (Measure::MeanOf(_) | Measure::Mean, &[total, count]) => mean::result(b, [total, count]),
        (Measure::Sum, &[total]) => Ok(total),
        (Measure::Count(..), &[count]) => confusion::one_or_many(b, count),
        (Measure::Precision(_) | Measure::Recall(_), &[right, wrong]) => {
            let share = share(b, right, wrong)?;
            confusion::one_or_many(b, share)
        }
        (Measure::Best(_, found, bound, least), variables) => {
            let counts = Counts::of(b, variables)?;
            sensitivity_specificity::result(b, &counts, found, bound, least)
        }
        (Measure::Area(curve), variables) => {
            let counts = Counts::of(b, variables)?;
            curve.result(b, &counts)
        }
        (Measure::Score(score), &[found, added, missed, weights]) => {
            score.result(b, [found, added, missed, weights])
        }
        (Measure::Overlap(classes, Some(targets), _), &[matrix]) => {
            classes.result(b, matrix, targets.iter().copied())
        }
        (Measure::Overlap(classes, None, _), &[matrix]) => {
            let all = 0..classes.count;
            classes.result(b, matrix, all)
        }
        (
            Measure::R2 { class_aggregation, num_regressors },
            &[samples, squares, sum, residual, count],
        ) => {
            let variables = [samples, squares, sum, residual, count];
            r2_score::result(b, variables, class_aggregation, num_regressors)
        }
        (_, variables) => Err(b.error(format!("has {} variables", variables.len()))),
    }
}
