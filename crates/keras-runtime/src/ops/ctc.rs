//! Connectionist temporal classification: labels that outputs over time stand for.

use std::collections::HashMap;

use keras_model::DType;

use super::{Gradient, Operator, Out, Spec, Types, inputs, no_gradient, nothing, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// The logarithm of a sum of numbers whose logarithms are given.
fn plus(a: f64, b: f64) -> f64 {
    let most = a.max(b);
    if most == f64::NEG_INFINITY { most } else { most + ((a - most).exp() + (b - most).exp()).ln() }
}

/// `log(softmax(x))`.
fn log_softmax(x: &[f32]) -> Vec<f64> {
    let sum = x.iter().fold(f64::NEG_INFINITY, |sum, v| plus(sum, f64::from(*v)));
    x.iter().map(|v| f64::from(*v) - sum).collect()
}

fn count(x: i32) -> usize {
    usize::try_from(x).unwrap_or(0)
}

/// The logarithm of the chance that outputs stand for a row of labels, with its sign turned.
///
/// # Shapes
/// `labels: [batch, most]` of `int32`, `logits: [batch, steps, classes]` of `float32`, the lengths
/// of both `[batch]` of `int32`, to `[batch]` of `float32`.
///
/// # Source
/// `keras.ops.ctc_loss(target, output, target_length, output_length, mask_index)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CtcLoss {
    /// The class that stands for none.
    pub(crate) blank: usize,
}

impl Operator for CtcLoss {
    const NAME: &'static str = "ctc_loss";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [labels, logits, lengths, steps] = inputs(Self::NAME, x)?;
        let (&[batch, _], &[n, _, classes]) = (labels.shape.as_slice(), logits.shape.as_slice())
        else {
            return Err(Error::op(Self::NAME, "takes [batch, most] and [batch, steps, classes]"));
        };
        let fits = batch == n
            && lengths.shape == [batch]
            && steps.shape == [batch]
            && self.blank < classes;
        if !fits {
            return Err(Error::op(Self::NAME, "labels, logits and lengths do not fit"));
        }
        Ok(vec![Spec::new([batch], DType::Float32)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([labels, logits, lengths, steps], [y]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has one output"));
        };
        let (most, all, classes) = (labels.shape[1], logits.shape[1], logits.shape[2]);
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        let (labels, logits) = (labels.of::<i32>(Self::NAME)?, logits.of::<f32>(Self::NAME)?);
        let (lengths, steps) = (lengths.of::<i32>(Self::NAME)?, steps.of::<i32>(Self::NAME)?);
        for (i, loss) in y.iter_mut().enumerate() {
            let labels = &labels[i * most..][..count(lengths[i]).min(most)];
            let used = count(steps[i]).min(all) * classes;
            let chances = logits[i * all * classes..][..used].chunks_exact(classes);
            *loss = self.loss(labels, chances.map(log_softmax))? as f32;
        }
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let [labels, logits, lengths, steps] = *inputs(Self::NAME, x)?;
        let slope = b.op(CtcGradient(*self), &[labels, logits, lengths, steps])?;
        let dy = upstream(Self::NAME, dy)?;
        let dy = b.expand(dy, 1)?;
        let dy = b.expand(dy, 2)?;
        Ok(vec![None, Some(b.mul(slope, dy)?), None, None])
    }
}

impl CtcLoss {
    /// The labels with none between any two, before and behind them.
    fn states(self, labels: &[i32]) -> Vec<usize> {
        let mut states = vec![self.blank];
        for label in labels {
            states.extend([count(*label), self.blank]);
        }
        states
    }

    fn loss(self, labels: &[i32], steps: impl Iterator<Item = Vec<f64>>) -> Result<f64> {
        let states = self.states(labels);
        let mut paths: Vec<f64> = Vec::new();
        for chances in steps {
            let chance = |state: usize| {
                let class = states[state];
                let wrong = || Error::Value(format!("label {class} of {} classes", chances.len()));
                chances.get(class).copied().ok_or_else(wrong)
            };
            let mut next = vec![f64::NEG_INFINITY; states.len()];
            for (s, to) in next.iter_mut().enumerate() {
                let from = if paths.is_empty() {
                    if s < 2 { 0.0 } else { f64::NEG_INFINITY }
                } else {
                    let jumps = s >= 2 && states[s] != self.blank && states[s] != states[s - 2];
                    let before =
                        |n: usize| s.checked_sub(n).map_or(f64::NEG_INFINITY, |s| paths[s]);
                    let near = plus(paths[s], before(1));
                    if jumps { plus(near, before(2)) } else { near }
                };
                *to = from + chance(s)?;
            }
            paths = next;
        }
        Ok(-paths.iter().rev().take(2).fold(f64::NEG_INFINITY, |sum, p| plus(sum, *p)))
    }
}

/// The gradient of [`CtcLoss`] to the logits, for a loss that is reached by 1: `softmax(x)` minus
/// the chance of each class at each step given the labels.
///
/// # Shapes
/// Those of [`CtcLoss`], to that of the logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CtcGradient(pub(crate) CtcLoss);

impl Operator for CtcGradient {
    const NAME: &'static str = "ctc_loss_gradient";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        self.0.output(x)?;
        Ok(vec![x[1].clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([labels, logits, lengths, steps], [y]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has one output"));
        };
        let (most, all, classes) = (labels.shape[1], logits.shape[1], logits.shape[2]);
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        let (labels, logits) = (labels.of::<i32>(Self::NAME)?, logits.of::<f32>(Self::NAME)?);
        let (lengths, steps) = (lengths.of::<i32>(Self::NAME)?, steps.of::<i32>(Self::NAME)?);
        y.fill(0.0);
        for (i, y) in y.chunks_exact_mut((all * classes).max(1)).enumerate() {
            let labels = &labels[i * most..][..count(lengths[i]).min(most)];
            let used = count(steps[i]).min(all) * classes;
            let chances = logits[i * all * classes..][..used].chunks_exact(classes);
            let chances: Vec<Vec<f64>> = chances.map(log_softmax).collect();
            self.slopes(labels, &chances, y)?;
        }
        Ok(())
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        _x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        no_gradient(Self::NAME)
    }
}

impl CtcGradient {
    fn slopes(self, labels: &[i32], chances: &[Vec<f64>], y: &mut [f32]) -> Result<()> {
        const NEVER: f64 = f64::NEG_INFINITY;
        let states = self.0.states(labels);
        let classes = chances.first().map_or(0, Vec::len);
        if let Some(class) = states.iter().find(|class| **class >= classes) {
            return Err(Error::Value(format!("label {class} of {classes} classes")));
        }
        let jumps = |s: usize| s >= 2 && states[s] != self.0.blank && states[s] != states[s - 2];
        let sum = |parts: [f64; 3]| parts.into_iter().fold(NEVER, plus);
        // The chances of all paths that come to a state, its own included.
        let mut before: Vec<Vec<f64>> = Vec::with_capacity(chances.len());
        for chance in chances {
            let next = (0..states.len()).map(|s| {
                let from = match before.last() {
                    None => {
                        if s < 2 {
                            0.0
                        } else {
                            NEVER
                        }
                    }
                    Some(paths) => sum([
                        paths[s],
                        if s >= 1 { paths[s - 1] } else { NEVER },
                        if jumps(s) { paths[s - 2] } else { NEVER },
                    ]),
                };
                from + chance[states[s]]
            });
            before.push(next.collect());
        }
        // And of those that go on from it, its own left out.
        let mut behind: Vec<f64> =
            (0..states.len()).map(|s| if s + 2 >= states.len() { 0.0 } else { NEVER }).collect();
        let total = before
            .last()
            .map_or(NEVER, |last| last.iter().zip(&behind).map(|(a, b)| a + b).fold(NEVER, plus));
        for (t, chance) in chances.iter().enumerate().rev() {
            let y = &mut y[t * classes..][..classes];
            let mut given = vec![NEVER; classes];
            for (s, class) in states.iter().enumerate() {
                given[*class] = plus(given[*class], before[t][s] + behind[s] - total);
            }
            for ((y, given), chance) in y.iter_mut().zip(given).zip(chance) {
                *y = (chance.exp() - if total == NEVER { 0.0 } else { given.exp() }) as f32;
            }
            let on = |s: usize| behind.get(s).map_or(NEVER, |b| b + chance[states[s]]);
            behind = (0..states.len())
                .map(|s| {
                    let far = if s + 2 < states.len() && jumps(s + 2) { on(s + 2) } else { NEVER };
                    sum([on(s), on(s + 1), far])
                })
                .collect();
        }
        Ok(())
    }
}

/// How labels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// The likeliest class of each step.
    Greedy { merge_repeated: bool },
    /// The likeliest rows of labels, so many being followed at a time.
    Beam { width: usize, paths: usize },
}

/// The labels that outputs stand for, filled up with -1, and how likely they are: the logarithm of
/// the chance, or minus the sum of the largest outputs if greedy.
///
/// # Shapes
/// `logits: [batch, steps, classes]` of `float32`, `lengths: [batch]` of `int32`, to
/// `[paths, batch, steps]` of `int32` and `[batch, paths]` of `float32`.
///
/// # Source
/// `keras.ops.ctc_decode(inputs, sequence_lengths, ...)`, Keras 3 with TensorFlow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CtcDecode {
    pub(crate) strategy: Strategy,
    /// The class that stands for none.
    pub(crate) blank: usize,
}

impl CtcDecode {
    fn paths(self) -> usize {
        match self.strategy {
            Strategy::Greedy { .. } => 1,
            Strategy::Beam { paths, .. } => paths,
        }
    }
}

impl Operator for CtcDecode {
    const NAME: &'static str = "ctc_decode";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [logits, lengths] = inputs(Self::NAME, x)?;
        match logits.shape.as_slice() {
            &[batch, steps, classes] if lengths.shape == [batch] && self.blank < classes => {
                let paths = self.paths();
                Ok(vec![
                    Spec::new([paths, batch, steps], DType::Int32),
                    Spec::new([batch, paths], DType::Float32),
                ])
            }
            shape => Err(Error::op(Self::NAME, format!("cannot decode {shape:?}"))),
        }
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([logits, lengths], [found, scores]) = (inputs(Self::NAME, x)?, y) else {
            return Err(Error::op(Self::NAME, "has two outputs"));
        };
        let &[batch, steps, classes] = logits.shape else { return Ok(()) };
        let (logits, lengths) = (logits.of::<f32>(Self::NAME)?, lengths.of::<i32>(Self::NAME)?);
        let found = out::<i32>(&mut found.data, Self::NAME)?;
        let scores = out::<f32>(&mut scores.data, Self::NAME)?;
        found.fill(-1);
        for i in 0..batch {
            let used = count(lengths[i]).min(steps) * classes;
            let logits = logits[i * steps * classes..][..used].chunks_exact(classes.max(1));
            let best = match self.strategy {
                Strategy::Greedy { merge_repeated } => vec![self.greedy(logits, merge_repeated)],
                Strategy::Beam { width, paths } => self.beam(logits.map(log_softmax), width, paths),
            };
            for (path, (labels, score)) in best.into_iter().enumerate() {
                scores[i * self.paths() + path] = score as f32;
                for (to, label) in found[(path * batch + i) * steps..].iter_mut().zip(labels) {
                    *to = label as i32;
                }
            }
        }
        Ok(())
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        nothing(x)
    }
}

impl CtcDecode {
    fn greedy<'a>(
        self,
        steps: impl Iterator<Item = &'a [f32]>,
        merge_repeated: bool,
    ) -> (Vec<usize>, f64) {
        let (mut labels, mut last, mut sum) = (Vec::new(), None, 0.0);
        for logits in steps {
            let first = |best: usize, i: usize| if logits[i] > logits[best] { i } else { best };
            let class = (0..logits.len()).fold(0, first);
            sum -= f64::from(logits[class]);
            if class != self.blank && !(merge_repeated && last == Some(class)) {
                labels.push(class);
            }
            last = Some(class);
        }
        (labels, sum)
    }

    fn beam(
        self,
        steps: impl Iterator<Item = Vec<f64>>,
        width: usize,
        paths: usize,
    ) -> Vec<(Vec<usize>, f64)> {
        const NEVER: f64 = f64::NEG_INFINITY;
        // Rows of labels with the chances to end with none and with the last label.
        let mut beams: Vec<(Vec<usize>, [f64; 2])> = vec![(Vec::new(), [0.0, NEVER])];
        for chances in steps {
            let mut next: HashMap<Vec<usize>, [f64; 2]> = HashMap::new();
            for (labels, [none, label]) in &beams {
                let total = plus(*none, *label);
                let mut add = |labels: Vec<usize>, end: usize, chance: f64| {
                    let ends = next.entry(labels).or_insert([NEVER; 2]);
                    ends[end] = plus(ends[end], chance);
                };
                add(labels.clone(), 0, total + chances[self.blank]);
                for (class, chance) in chances.iter().enumerate().filter(|(c, _)| *c != self.blank)
                {
                    let longer = [labels.as_slice(), &[class]].concat();
                    if labels.last() == Some(&class) {
                        add(labels.clone(), 1, label + chance);
                        add(longer, 1, none + chance);
                    } else {
                        add(longer, 1, total + chance);
                    }
                }
            }
            beams = next.into_iter().collect();
            // Ties in the order of the labels, so that the result is always the same.
            let rank = |b: &(Vec<usize>, [f64; 2])| plus(b.1[0], b.1[1]);
            beams.sort_by(|a, b| rank(b).total_cmp(&rank(a)).then_with(|| a.0.cmp(&b.0)));
            beams.truncate(width.max(1));
        }
        let scored = beams.into_iter().map(|(labels, [none, label])| (labels, plus(none, label)));
        scored.take(paths).collect()
    }
}

#[test]
fn one_step_has_one_path() {
    let logits = vec![vec![0.25_f64.ln(), 0.75_f64.ln()]];
    let loss = CtcLoss { blank: 0 }.loss(&[1], logits.into_iter()).unwrap();
    assert!((loss + 0.75_f64.ln()).abs() < 1e-12);
}

#[test]
fn gradient_is_the_slope() {
    let whole = |shape: &[usize], v: Vec<i32>| crate::Tensor::new(shape, v).unwrap();
    let logits = super::some_numbers(&[2, 6, 4], 0).cast(DType::Float32).unwrap();
    let labels = whole(&[2, 3], vec![1, 1, 2, 3, 2, 0]);
    let x = [labels, logits, whole(&[2], vec![3, 2]), whole(&[2], vec![6, 5])];
    // Its results have the 24 bits of `float32`.
    super::check_gradient_within(CtcLoss { blank: 0 }, &x, 1e-2, 1e-3);
}
