//! A step of training or evaluation as one plan: the model, its losses and penalties, and the
//! gradients of their sum.
//!
//! With gradients the trainable weights are inputs of the plan, read anew at each run: after they were
//! changed the same plan goes on. Without, they are constants, packed once and folded.

use std::borrow::Cow;
use std::sync::Arc;

use keras_model::DType;

use super::compiled::{Compiled, CompiledLoss, CompiledMetric};
use super::gradient::{ByRows, Gradient};
use super::regularizers;
use crate::backward::{Lookup, backward_by_rows};
use crate::graph::{Builder, Value, Wrt};
use crate::model::{Inputs, Lowered};
use crate::ops::{Function, Reduction, size};
use crate::plan::Plan;
use crate::states::States;
use crate::{Error, Model, Result, Tensor};

/// What a step computes beside losses and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    /// Whether layers do what they do in training.
    pub(crate) training: bool,
    /// Whether gradients are wanted.
    pub(crate) gradients: bool,
    /// Whether they are those of the loss times a number that is given with the batch.
    pub(crate) scaled: bool,
    /// What is wanted beside them of the rows of tables.
    pub(crate) rows: ByRows,
}

/// Which parts a gradient has.
#[derive(Clone, Copy, Debug)]
struct Parts {
    tensors: [bool; 3],
    is_clipped: bool,
}

/// A batch of samples, as the model takes them.
#[derive(Debug)]
pub(crate) struct Batch<'t> {
    /// The inputs of the model.
    pub(crate) x: Inputs<'t>,
    /// The target of each output, where it has one.
    pub(crate) y: Vec<Option<Cow<'t, Tensor>>>,
    /// What the samples of each output count for, where they do not all count the same.
    pub(crate) sample_weight: Vec<Option<Cow<'t, Tensor>>>,
}

impl<'t> Batch<'t> {
    /// All tensors, in the order in which a step takes them.
    fn tensors(&self) -> impl Iterator<Item = &Cow<'t, Tensor>> {
        let more = self.y.iter().chain(&self.sample_weight).flatten();
        self.x.iter().chain(more)
    }

    /// How many samples there are.
    pub(crate) fn rows(&self) -> usize {
        self.x.first().and_then(|t| t.shape().first()).copied().unwrap_or(0)
    }

    /// So many samples from there on.
    pub(crate) fn part(&self, start: usize, rows: usize) -> Result<Batch<'_>> {
        self.each(|t| t.rows(start, start + rows))
    }

    /// The samples at these places.
    pub(crate) fn rows_at(&self, rows: &[usize]) -> Result<Batch<'_>> {
        self.each(|t| t.rows_at(rows))
    }

    fn each(&self, part: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Batch<'_>> {
        let part = |t: &'_ Cow<'t, Tensor>| part(t).map(Cow::Owned);
        let parts = |all: &[Option<Cow<'t, Tensor>>]| {
            all.iter().map(|t| t.as_ref().map(part).transpose()).collect::<Result<Vec<_>>>()
        };
        Ok(Batch {
            x: self.x.iter().map(part).collect::<Result<_>>()?,
            y: parts(&self.y)?,
            sample_weight: parts(&self.sample_weight)?,
        })
    }

    /// Shape and type of each tensor; of what is not there none.
    fn key(&self, mode: Mode) -> StepKey {
        let spec = |t: &Cow<'_, Tensor>| (t.shape().to_vec(), t.dtype());
        let all = self.x.iter().map(Some);
        let all = all.chain(self.y.iter().chain(&self.sample_weight).map(Option::as_ref));
        StepKey { tensors: all.map(|t| t.map(spec)).collect(), mode }
    }
}

/// What a step was planned for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepKey {
    tensors: Vec<Option<(Vec<usize>, DType)>>,
    mode: Mode,
}

impl StepKey {
    /// Whether the trainable weights are inputs of the plan, not constants in it.
    pub(super) fn reads_weights(&self) -> bool {
        self.mode.gradients
    }
}

/// The plan of a step.
#[derive(Debug)]
pub(crate) struct Step {
    lowered: Lowered,
    /// How many losses there are beside their sum.
    losses: usize,
    /// To how many variables each metric adds.
    metrics: Vec<usize>,
    /// Which of its parts the gradient of each trainable weight has.
    gradients: Vec<Parts>,
    /// The places of the weights that layers set themselves.
    assigned: Vec<usize>,
}

/// What a step gives.
#[derive(Clone, Debug)]
pub(crate) struct Stepped {
    /// The sum of all losses, weighted, and of all penalties.
    pub(crate) loss: f32,
    /// The loss of each output that has one, not weighted.
    pub(crate) losses: Vec<f32>,
    /// What each metric adds to its variables, in the order of [`Compiled`].
    pub(crate) added: Vec<Vec<Tensor>>,
    /// For each trainable weight, in the order of `trainable_weights`, the gradient of `loss`: of
    /// the weight's shape and type; `None` if the loss does not depend on it. Empty if gradients
    /// were not wanted.
    pub(crate) gradients: Vec<Option<Gradient>>,
    /// What layers set weights to, by their places: moving statistics.
    pub(crate) assigned: Vec<(usize, Tensor)>,
}

impl Model {
    /// The plan for batches of these shapes: made at the first one.
    pub(crate) fn step_plan(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        mode: Mode,
    ) -> Result<Arc<Step>> {
        let key = batch.key(mode);
        if let Some(step) = self.steps.get(|known| *known == key) {
            return Ok(step);
        }
        let step = Arc::new(self.lower_step(compiled, batch, mode)?);
        self.steps.insert(key, Arc::clone(&step));
        Ok(step)
    }

    fn lower_step(&self, compiled: &Compiled, batch: &Batch<'_>, mode: Mode) -> Result<Step> {
        let mut b = if mode.gradients {
            let wrt = Wrt { weights: true, ..Wrt::default() };
            Builder::differentiating(&self.weights, self.limits, wrt)
        } else {
            Builder::new(&self.weights, self.limits)
        };
        let b = &mut b;
        if mode.training || !b.writer().penalises_in_training_only() {
            b.collect_losses();
        }
        let mut input = |t: &Cow<'_, Tensor>| b.input(t.shape(), t.dtype());
        let x: Vec<Value> = batch.x.iter().map(&mut input).collect();
        let y: Vec<_> = batch.y.iter().map(|t| t.as_ref().map(&mut input)).collect();
        let weights: Vec<_> =
            batch.sample_weight.iter().map(|t| t.as_ref().map(&mut input)).collect();
        let outputs = self.lower_model(b, &x, mode.training)?;

        let compared = |what: &str, at: usize| {
            let missing = |of: &str| {
                let name = compiled.name(at);
                Error::Value(format!("output {name:?} has a {what} and no {of}"))
            };
            let y_true = y.get(at).copied().flatten().ok_or_else(|| missing("target"))?;
            let y_pred = outputs.get(at).copied().ok_or_else(|| missing("prediction"))?;
            Ok::<_, Error>((y_true, y_pred))
        };
        let weight = |at: usize| weights.get(at).copied().flatten();
        let (mut losses, mut parts) = (Vec::new(), Vec::new());
        for CompiledLoss { output, loss, weight: factor } in &compiled.losses {
            let (y_true, y_pred) = compared("loss", *output)?;
            let loss = loss.lower(b, y_true, y_pred, weight(*output));
            let loss = loss.map_err(|error| of_output(compiled.name(*output), error))?;
            let loss = b.cast(loss, DType::Float32)?;
            losses.push(over_all(b, Reduction::Mean, loss)?);
            parts.push(b.scale(loss, factor.unwrap_or(1.0))?);
        }
        let mut added = Vec::new();
        for CompiledMetric { output, metric, weighted, .. } in &compiled.metrics {
            let (y_true, y_pred) = compared("metric", *output)?;
            let weight = weight(*output).filter(|_| *weighted);
            let more = metric.lower(b, y_true, y_pred, weight);
            added.push(more.map_err(|error| of_output(compiled.name(*output), error))?);
        }
        if b.collects_losses() {
            parts.extend(b.take_losses());
            parts.extend(regularizers::of_weights(b, &self.file.root, &self.weights)?);
        }
        b.leave();
        let mut parts = parts.into_iter();
        let Some(mut total) = parts.next() else {
            let reason = "there is no loss: the model was not compiled, or is loaded without it";
            return Err(Error::Value(reason.to_owned()));
        };
        for part in parts {
            total = b.add(total, part)?;
        }

        // Of losses that nothing reduces the mean is told, and the sum differentiated.
        let told = over_all(b, Reduction::Mean, total)?;
        let total = over_all(b, Reduction::Sum, total)?;
        let count = losses.len();
        let mut all: Vec<Value> = std::iter::once(told).chain(losses).collect();
        let counts = added.iter().map(Vec::len).collect();
        all.extend(added.into_iter().flatten());
        let gradients =
            if mode.gradients { self.add_gradients(b, total, mode, &mut all)? } else { Vec::new() };
        let (assigned, set): (Vec<usize>, Vec<Value>) = b.take_assigned().into_iter().unzip();
        all.extend(set);
        let (graph, extras) = b.take().finish(all);
        let plan = Plan::new(graph, &self.packed, self.winograd)?;
        self.limits.check_memory("the values of a step", Some(plan.bytes()))?;
        let lowered = Lowered { plan, extras, found: None };
        Ok(Step { lowered, losses: count, metrics: counts, gradients, assigned })
    }

    /// Adds the gradient of `loss` for each trainable weight that has one, in its parts.
    fn add_gradients(
        &self,
        b: &mut Builder<'_>,
        loss: Value,
        mode: Mode,
        outputs: &mut Vec<Value>,
    ) -> Result<Vec<Parts>> {
        let one = if mode.scaled {
            b.upstream(0, loss)
        } else {
            let (shape, dtype) = (b.shape(loss).to_vec(), b.dtype(loss));
            b.full(shape, 1.0, dtype)?
        };
        let variables = b.variables();
        let values: Vec<Value> = variables.iter().map(|(_, value)| *value).collect();
        let (gradients, lookups) = backward_by_rows(b, &[(loss, one)], &values)?;
        let mut found = Vec::new();
        for (place, weight) in self.weights.all_trainable() {
            let at = variables.iter().position(|(own, _)| *own == place);
            let gradient = at.and_then(|at| gradients.get(at).copied().flatten());
            let lookups = at.and_then(|at| lookups.get(at)).filter(|found| !found.is_empty());
            let clip = mode.rows.clip.map(f64::from_bits).filter(|_| lookups.is_some());
            let clip = clip.map(|most| Function::Clip(-most, most));
            let mut part = |is_wanted: bool, function: Option<Function>| match lookups {
                Some(lookups) if is_wanted => {
                    let functions: Vec<Function> = clip.into_iter().chain(function).collect();
                    sum_of_rows(b, lookups, &weight.shape, &functions)
                }
                _ => Ok(None),
            };
            let parts = [
                part(clip.is_some(), None)?.or(gradient),
                part(mode.rows.squares, Some(Function::Square))?,
                part(mode.rows.sizes, Some(Function::Abs))?,
            ];
            outputs.extend(parts.iter().flatten());
            let tensors = parts.map(|part| part.is_some());
            found.push(Parts { tensors, is_clipped: clip.is_some() });
        }
        Ok(found)
    }

    /// Runs a step on a batch of the shapes it was planned for. `scale` is what the loss is multiplied
    /// by before gradients are taken, if [`Mode::scaled`] says that it is.
    pub(crate) fn run_step(
        &self,
        step: &Step,
        batch: &Batch<'_>,
        scale: Option<f32>,
        seed: u64,
        states: &mut States,
    ) -> Result<Stepped> {
        let given: Inputs<'_> = batch.tensors().map(|t| Cow::Borrowed(t.as_ref())).collect();
        let scale = scale.map(|scale| Cow::Owned(Tensor::scalar(scale)));
        let mut all = self.run(&step.lowered, &given, scale.as_slice(), seed, states)?.into_iter();
        let mut number = || {
            let tensor = all.next();
            let value = tensor.as_ref().and_then(|t| t.as_slice::<f32>()?.first().copied());
            value.ok_or_else(|| Error::Value("a loss has no value: the batch is empty".to_owned()))
        };
        let loss = number()?;
        let losses = (0..step.losses).map(|_| number()).collect::<Result<_>>()?;
        let added = step.metrics.iter().map(|count| all.by_ref().take(*count).collect()).collect();
        let gradients = step.gradients.iter().map(|parts| {
            let is_clipped = parts.is_clipped;
            let [sum, squares, sizes] =
                parts.tensors.map(|is_there| is_there.then(|| all.next()).flatten());
            sum.map(|sum| Gradient { sum, squares, sizes, is_clipped })
        });
        let gradients = gradients.collect();
        let assigned = step.assigned.iter().copied().zip(all.by_ref()).collect();
        Ok(Stepped { loss, losses, added, gradients, assigned })
    }
}

/// One number of all elements.
fn over_all(b: &mut Builder<'_>, how: Reduction, x: Value) -> Result<Value> {
    let axes: Vec<usize> = (0..b.rank(x)).collect();
    b.reduce(how, x, &axes, false)
}

/// Functions, one after the other, of what reaches each copy of the rows of a table, summed up for each
/// row.
fn sum_of_rows(
    b: &mut Builder<'_>,
    lookups: &[Lookup],
    shape: &[usize],
    functions: &[Function],
) -> Result<Option<Value>> {
    let Some((n, row)) = shape.split_first() else { return Ok(None) };
    let mut total = None;
    for Lookup { dy, places } in lookups {
        let count = size(b.shape(*places));
        let places = b.reshape(*places, [count])?;
        let rows = b.reshape(*dy, [&[count], row].concat())?;
        let mut rows = b.cast(rows, DType::Float32)?;
        for function in functions {
            rows = b.unary(*function, rows)?;
        }
        let sum = b.sum_rows(rows, places, *n)?;
        total = Some(match total {
            Some(total) => b.add(total, sum)?,
            None => sum,
        });
    }
    Ok(total)
}

/// An error of a loss or a metric that also says of which output.
fn of_output(output: &str, error: Error) -> Error {
    match error {
        Error::Training { what, name, reason } => {
            Error::Training { what, name, reason: format!("output {output:?}: {reason}") }
        }
        other => other,
    }
}
