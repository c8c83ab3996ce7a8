//! Right and wrong predictions of yes and no, counted over and under thresholds. Source:
//! `keras/src/metrics/metrics_utils.py`, Keras 3.15.

use keras_model::DType;
use keras_model::compile::OneOrMany;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{
    Arithmetic, Connective, Function, Reduction, Relation, Scatter, Scattering, size,
};
use crate::train::losses::reduce;

/// What stands for a prediction that is not among the `top_k`.
pub(super) const LEAST: f64 = -1e10;

/// What is counted, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct Counting {
    /// From which predictions on it is a yes, in rising order where they are many.
    pub(super) thresholds: Vec<f64>,
    /// Whether the thresholds are as far from each other, from 0 to 1: then predictions are put into
    /// buckets.
    pub(super) evenly: bool,
    /// How many of the largest predictions of a sample count at all.
    pub(super) top_k: Option<usize>,
    /// The only class that counts.
    pub(super) class_id: Option<usize>,
    /// Whether each label is counted apart.
    pub(super) multi_label: bool,
    /// What each label counts for.
    pub(super) label_weights: Option<Vec<f64>>,
}

/// What a batch adds: `[thresholds]`, with `multi_label` `[thresholds, labels]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) true_positives: Value,
    pub(super) false_positives: Value,
    pub(super) true_negatives: Value,
    pub(super) false_negatives: Value,
}

impl Counts {
    /// Of the variables of a metric, in their order.
    pub(super) fn of(b: &Builder<'_>, variables: &[Value]) -> Result<Self> {
        match *variables {
            [true_positives, false_positives, true_negatives, false_negatives] => {
                Ok(Self { true_positives, false_positives, true_negatives, false_negatives })
            }
            _ => Err(b.error(format!("has {} variables", variables.len()))),
        }
    }

    /// In the order of the variables.
    pub(super) fn variables(self) -> Vec<Value> {
        let Self { true_positives, false_positives, true_negatives, false_negatives } = self;
        vec![true_positives, false_positives, true_negatives, false_negatives]
    }
}

impl Counting {
    /// For the thresholds that the caller gave, by default this one.
    pub(super) fn new(
        b: &Builder<'_>,
        thresholds: Option<&OneOrMany>,
        default: f64,
    ) -> Result<Self> {
        let thresholds = match thresholds {
            None => return Ok(Self { thresholds: vec![default], ..Self::default() }),
            Some(OneOrMany::One(one)) => vec![*one],
            Some(OneOrMany::Many(many)) => many.clone(),
        };
        if thresholds.is_empty() || thresholds.iter().any(|t| !(0.0..=1.0).contains(t)) {
            return Err(b.error(format!("thresholds must be in [0, 1], not {thresholds:?}")));
        }
        let evenly = are_even(&thresholds);
        Ok(Self { thresholds, evenly, ..Self::default() })
    }

    /// For so many thresholds from 0 to 1.
    pub(super) fn evenly(b: &Builder<'_>, count: usize) -> Result<Self> {
        b.check_value("thresholds", &[count], DType::Float64)?;
        let evenly = count > 1;
        let last = count.saturating_sub(1).max(1) as f64;
        let thresholds =
            if evenly { (0..count).map(|i| i as f64 / last).collect() } else { vec![0.5] };
        Ok(Self { thresholds, evenly, ..Self::default() })
    }

    /// Whether the ends stand a little outside of 0 and 1, so that nothing is outside of them.
    fn has_margin(&self) -> bool {
        self.thresholds.first().is_some_and(|t| *t < 0.0)
            || self.thresholds.last().is_some_and(|t| *t > 1.0)
    }

    /// Counts the predictions of a batch.
    pub(super) fn count(
        &self,
        b: &mut Builder<'_>,
        y_true: Value,
        y_pred: Value,
        weight: Option<Value>,
    ) -> Result<Counts> {
        let (y_true, y_pred) = (b.cast(y_true, DType::Float32)?, b.cast(y_pred, DType::Float32)?);
        let (mut y_pred, mut y_true) = reduce::same_rank(b, y_pred, y_true, true)?;
        let mut weight = weight;
        if let Some(given) = weight {
            let given = b.cast(given, DType::Float32)?;
            let given = b.expand(given, b.rank(given))?;
            weight = Some(reduce::same_rank(b, y_true, given, false)?.1);
        }
        if let Some(k) = self.top_k {
            y_pred = largest(b, y_pred, k)?;
        }
        if let Some(class) = self.class_id {
            if b.rank(y_pred) < 2 {
                return Err(b.error("class_id needs predictions [.., classes]"));
            }
            (y_true, y_pred) = (one_class(b, y_true, class)?, one_class(b, y_pred, class)?);
        }
        if b.shape(y_true) != b.shape(y_pred) {
            let (y_true, y_pred) = (b.shape(y_true), b.shape(y_pred));
            return Err(b.error(format!("targets {y_true:?} do not fit predictions {y_pred:?}")));
        }
        let shape = b.shape(y_pred).to_vec();
        if self.multi_label && shape.len() != 2 {
            return Err(
                b.error(format!("multi_label takes predictions [batch, labels], not {shape:?}"))
            );
        }
        let mut weight = match weight {
            Some(weight) => b.broadcast_to(weight, shape.clone())?,
            None => b.full(shape.clone(), 1.0, DType::Float32)?,
        };
        if let Some(own) = self.label_weights.as_ref().filter(|_| !self.multi_label) {
            let own = b.numbers([1, own.len()], own.clone(), DType::Float32)?;
            let own = b.broadcast_to(own, shape.clone())?;
            weight = b.mul(weight, own)?;
        }
        let [samples, labels] = match *shape.as_slice() {
            [samples, labels] if self.multi_label => [samples, labels],
            _ => [size(&shape), 1],
        };
        let mut flat = |x: Value| b.reshape(x, [samples, labels]);
        let (y_true, y_pred, weight) = (flat(y_true)?, flat(y_pred)?, flat(weight)?);
        let yes = b.cast(y_true, DType::Bool)?;
        let yes = b.cast(yes, DType::Float32)?;
        let one = b.scalar(1.0, DType::Float32)?;
        let no = b.sub(one, yes)?;
        let (yes, no) = (b.mul(yes, weight)?, b.mul(no, weight)?);
        // Over each threshold, then under it: of those that are, of those that are not.
        let (over, under) = if self.evenly {
            let places = self.buckets(b, y_pred)?;
            let over = [self.over_buckets(b, yes, places)?, self.over_buckets(b, no, places)?];
            let mut rest = |all: Value, over: Value| {
                let all = total(b, all)?;
                b.sub(all, over)
            };
            (over, [rest(yes, over[0])?, rest(no, over[1])?])
        } else {
            let over = self.is_over(b, y_pred)?;
            let under = b.not(over)?;
            (
                [sum_where(b, over, yes)?, sum_where(b, over, no)?],
                [sum_where(b, under, yes)?, sum_where(b, under, no)?],
            )
        };
        let count = self.thresholds.len();
        let shape = if self.multi_label { vec![count, labels] } else { vec![count] };
        let mut shaped = |value: Value| b.reshape(value, shape.clone());
        let ([true_positives, false_positives], [false_negatives, true_negatives]) = (over, under);
        Ok(Counts {
            true_positives: shaped(true_positives)?,
            false_positives: shaped(false_positives)?,
            true_negatives: shaped(true_negatives)?,
            false_negatives: shaped(false_negatives)?,
        })
    }

    /// Between which thresholds each prediction is, in a row for each label; a negative number under
    /// all of them.
    fn buckets(&self, b: &mut Builder<'_>, y_pred: Value) -> Result<Value> {
        let (count, labels) = (self.thresholds.len(), b.dim(y_pred, 1)?);
        let place = b.unary(Function::Clip(0.0, 1.0), y_pred)?;
        let place = b.scale(place, count as f64 - 1.0)?;
        let place = b.unary(Function::Ceil, place)?;
        let mut place = b.with_number(Arithmetic::Sub, place, 1.0)?;
        if self.has_margin() {
            place = b.with_number(Arithmetic::Max, place, 0.0)?;
        }
        let place = b.cast(place, DType::Int64)?;
        let rows = b.indices((0..labels).map(|label| label * count))?;
        let in_row = b.add(place, rows)?;
        let under = b.compare_number(Relation::Less, place, 0.0)?;
        let nowhere = b.scalar(-1.0, DType::Int64)?;
        let place = b.select(under, nowhere, in_row)?;
        b.reshape(place, [size(b.shape(place))])
    }

    /// The sums of `x: [samples, labels]` over each threshold: `[thresholds, labels]`.
    fn over_buckets(&self, b: &mut Builder<'_>, x: Value, places: Value) -> Result<Value> {
        let (count, labels) = (self.thresholds.len(), b.dim(x, 1)?);
        let zeros = b.full([labels.saturating_mul(count)], 0.0, DType::Float32)?;
        let x = b.reshape(x, [size(b.shape(x))])?;
        let add = Scatter { how: Scattering::Add, negative_skips: true };
        let sums = b.op(add, &[zeros, places, x])?;
        let sums = b.reshape(sums, [labels, count])?;
        let sums = b.flip(sums, 1)?;
        let sums = b.cumulative(sums, 1, false)?;
        let sums = b.flip(sums, 1)?;
        b.transpose(sums, [1, 0])
    }

    /// Whether each prediction is over each threshold: `[samples, labels]` to `[thresholds, samples,
    /// labels]`.
    fn is_over(&self, b: &mut Builder<'_>, y_pred: Value) -> Result<Value> {
        let count = self.thresholds.len();
        let thresholds = b.numbers([count, 1, 1], self.thresholds.clone(), DType::Float32)?;
        let y_pred = b.expand(y_pred, 0)?;
        b.compare(Relation::Greater, y_pred, thresholds)
    }
}

/// The sums of `x: [samples, labels]` where that holds: `[thresholds, labels]`.
fn sum_where(b: &mut Builder<'_>, holds: Value, x: Value) -> Result<Value> {
    let zero = b.scalar(0.0, DType::Float32)?;
    let x = b.expand(x, 0)?;
    let x = b.select(holds, x, zero)?;
    b.sum(x, &[1], false)
}

/// Lanes of the vectors in which TensorFlow sums.
const LANES: usize = 8;

/// The sums of `x: [samples, labels]` over the samples: `[1, labels]`. In the order in which
/// TensorFlow sums: what is left of a sum whose parts are taken away again is rounding, and the
/// files of its variables hold it.
fn total(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let (samples, labels) = (b.dim(x, 0)?, b.dim(x, 1)?);
    let whole = samples / LANES * LANES;
    let rest = b.slice(x, 0, whole, samples)?;
    let rest = b.sum(rest, &[0], true)?;
    if whole == 0 {
        return Ok(rest);
    }
    let lanes = b.slice(x, 0, 0, whole)?;
    let lanes = b.reshape(lanes, [whole / LANES, LANES, labels])?;
    let mut lanes = b.sum(lanes, &[0], false)?;
    let mut half = LANES / 2;
    while half > 0 {
        let (first, second) = (b.slice(lanes, 0, 0, half)?, b.slice(lanes, 0, half, 2 * half)?);
        lanes = b.add(first, second)?;
        half /= 2;
    }
    if whole == samples { Ok(lanes) } else { b.add(lanes, rest) }
}

/// The `k` largest along the last axis; the others very small.
fn largest(b: &mut Builder<'_>, x: Value, k: usize) -> Result<Value> {
    let (axis, classes) = (b.axis(x, -1)?, b.dim(x, -1)?);
    if k > classes {
        return Err(b.error(format!("top_k is {k}, of {classes} classes")));
    }
    let order = b.argsort(x, axis, true)?;
    let first = b.slice(order, axis, 0, k)?;
    let hot = b.one_hot(first, classes, DType::Float32)?;
    let chosen = b.reduce(Reduction::Max, hot, &[axis], false)?;
    let kept = b.mul(x, chosen)?;
    let one = b.scalar(1.0, DType::Float32)?;
    let rest = b.sub(one, chosen)?;
    let rest = b.scale(rest, LEAST)?;
    b.add(kept, rest)
}

/// One class of the last axis, which stays.
fn one_class(b: &mut Builder<'_>, x: Value, class: usize) -> Result<Value> {
    let (axis, classes) = (b.axis(x, -1)?, b.dim(x, -1)?);
    if class >= classes {
        return Err(b.error(format!("class_id is {class}, of {classes} classes")));
    }
    b.slice(x, axis, class, class + 1)
}

/// Whether thresholds are as far from each other, from 0 to 1.
pub(super) fn are_even(thresholds: &[f64]) -> bool {
    let last = thresholds.len().saturating_sub(1) as f64;
    thresholds.len() >= 3
        && thresholds.iter().enumerate().all(|(i, t)| {
            let even = f64::from(i as f32 / last as f32);
            // `numpy.allclose(thresholds, even, atol=1e-7)`
            (t - even).abs() <= 1e-7 + 1e-5 * even
        })
}

/// `a / (a + b)`, 0 where there is nothing.
pub(super) fn share(b: &mut Builder<'_>, part: Value, rest: Value) -> Result<Value> {
    let all = b.add(part, rest)?;
    b.binary(Arithmetic::DivNoNan, part, all)
}

/// Whether both hold.
pub(super) fn both(b: &mut Builder<'_>, x: Value, y: Value) -> Result<Value> {
    b.logic(Connective::And, x, y)
}

/// The only element of a row of one; else all of them.
pub(super) fn one_or_many(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    if b.shape(x) == [1] { b.at(x, 0, 0) } else { Ok(x) }
}
