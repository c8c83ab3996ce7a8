//! `SensitivityAtSpecificity` and its family: the best of one share where another one is large
//! enough. Source: `keras/src/metrics/confusion_metrics.py`, Keras 3.15.

use super::confusion::{Counting, Counts, share};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Reduction, Relation};

/// How they are counted.
pub(super) fn counting(
    b: &Builder<'_>,
    num_thresholds: usize,
    class_id: Option<usize>,
) -> Result<Counting> {
    if num_thresholds == 0 {
        return Err(b.error("num_thresholds must be over 0"));
    }
    Ok(Counting { class_id, ..Counting::evenly(b, num_thresholds)? })
}

/// A share of the counts at each threshold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    /// Of those that are so those that were found: recall.
    Sensitivity,
    /// Of those that are not so those that were not found.
    Specificity,
    /// Of those that were found those that are so.
    Precision,
}

impl Share {
    fn of(self, b: &mut Builder<'_>, counts: &Counts) -> Result<Value> {
        match self {
            Self::Sensitivity => share(b, counts.true_positives, counts.false_negatives),
            Self::Specificity => share(b, counts.true_negatives, counts.false_positives),
            Self::Precision => share(b, counts.true_positives, counts.false_positives),
        }
    }
}

/// The largest `found` where `bound` is at least `least`.
pub(super) fn result(
    b: &mut Builder<'_>,
    counts: &Counts,
    found: Share,
    bound: Share,
    least: f64,
) -> Result<Value> {
    if !(0.0..=1.0).contains(&least) {
        return Err(b.error(format!("its bound must be in [0, 1], not {least}")));
    }
    let (found, bound) = (found.of(b, counts)?, bound.of(b, counts)?);
    let is_enough = b.compare_number(Relation::GreaterEqual, bound, least)?;
    let zero = b.scalar(0.0, b.dtype(found))?;
    let found = b.select(is_enough, found, zero)?;
    b.reduce(Reduction::Max, found, &[0], false)
}
