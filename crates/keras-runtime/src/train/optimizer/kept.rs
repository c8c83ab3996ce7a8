//! What an optimizer keeps for one weight, and an update of it.

use keras_model::compile::{self, OptimizerKind, StateVariable};
use keras_model::objects::Constraint;
use keras_model::{ModelFile, Weight};

use crate::element::Real;
use crate::train::constraints;
use crate::train::floats;
use crate::train::gradient::Gradient;
use crate::train::optimizers::{self, Slot, Trained, Update};
use crate::weights::{Weights, to_tensor};
use crate::{Limits, Result, Tensor};

/// What is kept for one weight.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The weight's place among all.
    pub(super) place: usize,
    pub(super) path: String,
    pub(super) constraint: Option<Constraint>,
    pub(super) slots: Vec<(&'static str, Tensor)>,
    /// The moving average, with `use_ema`.
    pub(super) average: Option<Tensor>,
    /// The sum of the gradients since the last update, with `gradient_accumulation_steps`.
    pub(super) sum: Option<Tensor>,
}

/// What all weights of one update have in common.
pub(super) struct How<'a> {
    pub(super) kind: &'a OptimizerKind,
    pub(super) is_scheduled: bool,
    pub(super) product: f32,
    pub(super) rate: f64,
    pub(super) step: f64,
}

impl Kept {
    pub(super) fn new(
        config: &compile::Optimizer,
        file: &ModelFile,
        weights: &Weights,
        limits: &Limits,
        (place, weight): (usize, &Weight),
    ) -> Result<Self> {
        let stored = |name: &str| -> Result<Option<Tensor>> {
            let is_it = |own: &&StateVariable| {
                own.slot == name
                    && own.weight.layer == weight.layer
                    && own.weight.name == weight.name
            };
            let own = file.optimizer_state.as_ref().and_then(|s| s.slots.iter().find(is_it));
            let Some(own) = own else { return Ok(None) };
            to_tensor(&own.weight)?.cast(floats::wide(weight.dtype)).map(Some)
        };
        let zeros = || Tensor::zeros(weight.shape.as_slice(), floats::wide(weight.dtype));
        let trained = Trained { path: &weight.path, shape: &weight.shape };
        let mut slots = Vec::new();
        for Slot { name, shape, start } in optimizers::slots(&config.kind, trained) {
            let found = stored(name)?.filter(|tensor| tensor.shape() == shape);
            let tensor = match found {
                Some(tensor) => tensor,
                None => {
                    let count = shape.iter().product();
                    Tensor::new(shape, vec![start; count])?.cast(floats::wide(weight.dtype))?
                }
            };
            slots.push((name, tensor));
        }
        let average = match (config.use_ema, stored("average")?) {
            (true, Some(average)) => Some(average),
            (true, None) => Some(weights.tensor(place, limits)?.cast(floats::wide(weight.dtype))?),
            (false, _) => None,
        };
        let sum = match (config.gradient_accumulation_steps, stored("gradient_accumulator")?) {
            (Some(_), sum) => Some(sum.unwrap_or_else(zeros)),
            (None, _) => None,
        };
        Ok(Self {
            place,
            path: weight.path.clone(),
            constraint: constraints::of_weight(&file.root, weight),
            slots,
            average,
            sum,
        })
    }

    /// Weight decay, then the rule.
    pub(super) fn update<F: Real>(
        &mut self,
        weight: &mut Tensor,
        gradient: &Gradient,
        decay: Option<f64>,
        how: &How<'_>,
    ) -> Result<()> {
        let shape = gradient.sum.shape().to_vec();
        let (rate, step) = (floats::number(how.rate), floats::number(how.step));
        let weight = floats::elements::<F>(weight)?;
        if let Some(decay) = decay {
            let decay: F = floats::number(decay);
            weight.iter_mut().for_each(|w| *w -= *w * decay * rate);
        }
        let slots = self.slots.iter_mut().map(|(_, slot)| floats::elements::<F>(slot));
        let update = Update {
            weight,
            gradient: gradient.sum.as_slice::<F>().unwrap_or_default(),
            squares: gradient.squares.as_ref().and_then(Tensor::as_slice::<F>),
            sizes: gradient.sizes.as_ref().and_then(Tensor::as_slice::<F>),
            slots: slots.collect::<Result<_>>()?,
            shape: &shape,
            rate,
            step,
        };
        optimizers::update(how.kind, how.is_scheduled, how.product, update)
    }
}
