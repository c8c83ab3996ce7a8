//! `AUC`: the area under a curve of two shares. Source: `keras/src/metrics/confusion_metrics.py`,
//! Keras 3.15.

use keras_model::DType;
use serde_json::Value as Json;

use super::confusion::{Counting, Counts, are_even, both, share};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Relation};
use crate::train::EPSILON;

/// The arguments of the class.
pub(super) struct Area<'c> {
    pub(super) num_thresholds: usize,
    pub(super) curve: &'c str,
    pub(super) summation_method: &'c str,
    pub(super) thresholds: Option<&'c [f64]>,
    pub(super) multi_label: bool,
    pub(super) label_weights: Option<&'c Json>,
    pub(super) from_logits: bool,
}

impl Area<'_> {
    /// How it is counted.
    pub(super) fn counting(&self, b: &Builder<'_>) -> Result<Counting> {
        let mut counting = match self.thresholds {
            Some(own) => {
                let mut own = own.to_vec();
                own.sort_by(f64::total_cmp);
                let thresholds = [&[0.0], own.as_slice(), &[1.0]].concat();
                let evenly = are_even(&thresholds);
                Counting { thresholds, evenly, ..Counting::default() }
            }
            None if self.num_thresholds <= 1 => {
                return Err(b.error("num_thresholds must be over 1"));
            }
            None => Counting::evenly(b, self.num_thresholds)?,
        };
        if let [first, .., last] = counting.thresholds.as_mut_slice() {
            (*first, *last) = (-EPSILON, 1.0 + EPSILON);
        }
        let label_weights = self.weights(b)?;
        Ok(Counting { multi_label: self.multi_label, label_weights, ..counting })
    }

    /// The chances that predictions stand for.
    pub(super) fn chances(&self, b: &mut Builder<'_>, y_pred: Value) -> Result<Value> {
        if self.from_logits { b.unary(Function::Sigmoid, y_pred) } else { Ok(y_pred) }
    }

    /// What each label counts for: a list, or a tensor as Keras 3 writes it.
    fn weights(&self, b: &Builder<'_>) -> Result<Option<Vec<f64>>> {
        let Some(given) = self.label_weights.filter(|v| !v.is_null()) else { return Ok(None) };
        let list = given.get("config").and_then(|c| c.get("value")).unwrap_or(given);
        let numbers = list.as_array().and_then(|l| l.iter().map(Json::as_f64).collect());
        numbers.map(Some).ok_or_else(|| b.error(format!("label_weights are {given}")))
    }

    /// The area.
    pub(super) fn result(&self, b: &mut Builder<'_>, counts: &Counts) -> Result<Value> {
        let (curve, method) =
            (self.curve.to_ascii_lowercase(), self.summation_method.to_ascii_lowercase());
        let parts = match (curve.as_str(), method.as_str()) {
            ("pr", "interpolation") => interpolated(b, counts)?,
            ("roc" | "pr" | "prgain", "interpolation" | "minoring" | "majoring") => {
                let (x, y) = points(b, counts, &curve)?;
                let (x0, x1) = neighbours(b, x)?;
                let (y0, y1) = neighbours(b, y)?;
                let height = match method.as_str() {
                    "minoring" => b.binary(Arithmetic::Min, y0, y1)?,
                    "majoring" => b.binary(Arithmetic::Max, y0, y1)?,
                    _ => {
                        let sum = b.add(y0, y1)?;
                        b.with_number(Arithmetic::Div, sum, 2.0)?
                    }
                };
                let width = b.sub(x0, x1)?;
                b.mul(width, height)?
            }
            _ => {
                let (curve, method) = (self.curve, self.summation_method);
                return Err(b.error(format!("no curve {curve:?} by {method:?}")));
            }
        };
        let area = b.sum(parts, &[0], false)?;
        if !self.multi_label {
            return Ok(area);
        }
        let Some(weights) = self.weights(b)? else { return b.mean(area, &[0], false) };
        let weights = b.numbers([weights.len()], weights, DType::Float32)?;
        let weighted = b.mul(area, weights)?;
        let (sum, all) = (b.sum(weighted, &[0], false)?, b.sum(weights, &[0], false)?);
        b.binary(Arithmetic::DivNoNan, sum, all)
    }
}

/// Each value but the last, and the one behind it.
fn neighbours(b: &mut Builder<'_>, x: Value) -> Result<(Value, Value)> {
    let n = b.dim(x, 0)?;
    Ok((b.slice(x, 0, 0, n.saturating_sub(1))?, b.slice(x, 0, 1, n)?))
}

/// The points of a curve.
fn points(b: &mut Builder<'_>, counts: &Counts, curve: &str) -> Result<(Value, Value)> {
    let &Counts { true_positives, false_positives, true_negatives, false_negatives } = counts;
    match curve {
        "roc" => Ok((
            share(b, false_positives, true_negatives)?,
            share(b, true_positives, false_negatives)?,
        )),
        "pr" => Ok((
            share(b, true_positives, false_negatives)?,
            share(b, true_positives, false_positives)?,
        )),
        _ => {
            let yes = b.add(true_positives, false_negatives)?;
            let no = b.add(true_negatives, false_positives)?;
            let factor = b.binary(Arithmetic::DivNoNan, yes, no)?;
            let nothing = b.compare_number(Relation::Equal, true_positives, 0.0)?;
            let mut gain = |wrong: Value, without: f64| {
                let ratio = b.binary(Arithmetic::DivNoNan, wrong, true_positives)?;
                let loss = b.mul(factor, ratio)?;
                let one = b.scalar(1.0, b.dtype(loss))?;
                let gain = b.sub(one, loss)?;
                let without = b.scalar(without, b.dtype(gain))?;
                b.select(nothing, without, gain)
            };
            let (recall, precision) = (gain(false_negatives, 0.0)?, gain(false_positives, 1.0)?);
            Ok((b.with_number(Arithmetic::Max, recall, 0.0)?, precision))
        }
    }
}

/// The parts of the area under precision and recall, between whose points precision is no line.
fn interpolated(b: &mut Builder<'_>, counts: &Counts) -> Result<Value> {
    let (before, tp) = neighbours(b, counts.true_positives)?;
    let found = b.add(counts.true_positives, counts.false_positives)?;
    let (p0, p1) = neighbours(b, found)?;
    let (_, missed) = neighbours(b, counts.false_negatives)?;
    let (dtp, dp) = (b.sub(before, tp)?, b.sub(p0, p1)?);
    let dp = b.with_number(Arithmetic::Max, dp, 0.0)?;
    let slope = b.binary(Arithmetic::DivNoNan, dtp, dp)?;
    let line = b.mul(slope, p1)?;
    let intercept = b.sub(tp, line)?;
    let (is_first, is_second) = (
        b.compare_number(Relation::Greater, p0, 0.0)?,
        b.compare_number(Relation::Greater, p1, 0.0)?,
    );
    let is_safe = both(b, is_first, is_second)?;
    let least = b.with_number(Arithmetic::Max, p1, 0.0)?;
    let ratio = b.binary(Arithmetic::DivNoNan, p0, least)?;
    let one = b.scalar(1.0, b.dtype(ratio))?;
    let ratio = b.select(is_safe, ratio, one)?;
    let log = b.unary(Function::Log, ratio)?;
    let bend = b.mul(intercept, log)?;
    let rise = b.add(dtp, bend)?;
    let rise = b.mul(slope, rise)?;
    let all = b.add(tp, missed)?;
    let all = b.with_number(Arithmetic::Max, all, 0.0)?;
    b.binary(Arithmetic::DivNoNan, rise, all)
}
