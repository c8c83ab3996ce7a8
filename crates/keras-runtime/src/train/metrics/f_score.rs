//! `FBetaScore` and `F1Score`. Source: `keras/src/metrics/f_score_metrics.py`, Keras 3.15.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Reduction, Relation};
use crate::train::EPSILON;

/// The arguments of the class.
pub(super) struct Score<'c> {
    pub(super) average: Option<&'c str>,
    pub(super) beta: f64,
    pub(super) threshold: Option<f64>,
}

impl Score<'_> {
    fn check(&self, b: &Builder<'_>) -> Result<()> {
        if !matches!(self.average, None | Some("micro" | "macro" | "weighted")) {
            return Err(b.error(format!("no average {:?}", self.average.unwrap_or_default())));
        }
        let is_share = |t: f64| t > 0.0 && t <= 1.0;
        if self.beta.is_nan() || self.beta <= 0.0 || self.threshold.is_some_and(|t| !is_share(t)) {
            let (beta, threshold) = (self.beta, self.threshold);
            return Err(b.error(format!("no beta {beta} with threshold {threshold:?}")));
        }
        Ok(())
    }

    /// What it adds to `true_positives`, `false_positives`, `false_negatives` and
    /// `intermediate_weights`, each `[classes]` or a number.
    pub(super) fn add(
        &self,
        b: &mut Builder<'_>,
        y_true: Value,
        y_pred: Value,
        weight: Option<Value>,
        dtype: DType,
    ) -> Result<Vec<Value>> {
        self.check(b)?;
        let (y_true, y_pred) = (b.cast(y_true, dtype)?, b.cast(y_pred, dtype)?);
        if (b.rank(y_true), b.rank(y_pred)) != (2, 2) {
            let (y_true, y_pred) = (b.shape(y_true), b.shape(y_pred));
            return Err(b.error(format!("takes [batch, classes], not {y_true:?} and {y_pred:?}")));
        }
        let found = match self.threshold {
            Some(threshold) => b.compare_number(Relation::Greater, y_pred, threshold)?,
            None => {
                let most = b.reduce(Reduction::Max, y_pred, &[1], true)?;
                let is_most = b.compare(Relation::GreaterEqual, y_pred, most)?;
                let size = b.unary(Function::Abs, y_pred)?;
                let is_there = b.compare_number(Relation::Greater, size, 1e-9)?;
                super::confusion::both(b, is_most, is_there)?
            }
        };
        let found = b.cast(found, dtype)?;
        let weight = match weight {
            Some(weight) => {
                let weight = b.cast(weight, dtype)?;
                Some(b.expand(weight, 1)?)
            }
            None => None,
        };
        let axes: &[usize] = if self.average == Some("micro") { &[0, 1] } else { &[0] };
        let one = b.scalar(1.0, dtype)?;
        let (not_found, not_true) = (b.sub(one, found)?, b.sub(one, y_true)?);
        let products =
            [b.mul(found, y_true)?, b.mul(found, not_true)?, b.mul(not_found, y_true)?, y_true];
        let sums = products.into_iter().map(|product| {
            let product = match weight {
                Some(weight) => b.mul(product, weight)?,
                None => product,
            };
            b.sum(product, axes, false)
        });
        sums.collect()
    }

    /// The score of each class, or their mean.
    pub(super) fn result(
        &self,
        b: &mut Builder<'_>,
        [found, added, missed, weights]: [Value; 4],
    ) -> Result<Value> {
        let mut share = |rest: Value| {
            let all = b.add(found, rest)?;
            let all = b.with_number(Arithmetic::Add, all, EPSILON)?;
            b.div(found, all)
        };
        let (precision, recall) = (share(added)?, share(missed)?);
        let product = b.mul(precision, recall)?;
        let square = self.beta * self.beta;
        let sum = b.scale(precision, square)?;
        let sum = b.add(sum, recall)?;
        let sum = b.with_number(Arithmetic::Add, sum, EPSILON)?;
        let mean = b.div(product, sum)?;
        let score = b.scale(mean, 1.0 + square)?;
        let axes: Vec<usize> = (0..b.rank(score)).collect();
        match self.average {
            None => Ok(score),
            Some("weighted") => {
                let all = b.sum(weights, &axes, false)?;
                let all = b.with_number(Arithmetic::Add, all, EPSILON)?;
                let weights = b.div(weights, all)?;
                let weighted = b.mul(score, weights)?;
                b.sum(weighted, &axes, false)
            }
            Some(_) => b.mean(score, &axes, false),
        }
    }
}
