//! Optimizers: how weights follow from gradients. One file per class; what all have in common is
//! `keras/src/optimizers/base_optimizer.py`, Keras 3.15, here in [`Optimizer`](super::Optimizer).

#![allow(clippy::indexing_slicing, reason = "loops over arrays whose lengths were compared before")]

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod ftrl;
mod lamb;
mod lion;
mod muon;
mod nadam;
mod rmsprop;
mod schedule_free_adam_w;
pub(super) mod schedules;
mod sgd;

pub(super) use nadam::product as nadam_product;

use keras_model::compile::OptimizerKind;

use super::gradient::ByRows;
use crate::element::Real;
use crate::{Error, Result};

/// A variable that is kept for a weight.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    /// Its name in files.
    pub(super) name: &'static str,
    pub(super) shape: Vec<usize>,
    /// What all of its elements are at first.
    pub(super) start: f64,
}

/// A weight that is trained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trained<'a> {
    pub(super) path: &'a str,
    pub(super) shape: &'a [usize],
}

/// One weight in one step.
#[derive(Debug)]
pub(super) struct Update<'a, F> {
    pub(super) weight: &'a mut [F],
    pub(super) gradient: &'a [F],
    /// Squares of the gradient, where they are not those of its elements: [`ByRows`].
    pub(super) squares: Option<&'a [F]>,
    /// Likewise its absolute values.
    pub(super) sizes: Option<&'a [F]>,
    /// What is kept for it, in the order of [`slots`].
    pub(super) slots: Vec<&'a mut [F]>,
    pub(super) shape: &'a [usize],
    /// The learning rate.
    pub(super) rate: F,
    /// Which update it is, from 1.
    pub(super) step: F,
}

impl<'a, F: Real> Update<'a, F> {
    /// A number of a config.
    fn number(value: f64) -> F {
        F::from(value).unwrap_or_else(F::nan)
    }

    /// The variables that are kept, as many as the rule has.
    fn kept<const N: usize>(&mut self) -> Result<[&'a mut [F]; N]> {
        let slots = std::mem::take(&mut self.slots);
        let found = slots.len();
        slots
            .try_into()
            .map_err(|_| Error::Value(format!("an optimizer keeps {N} variables, not {found}")))
    }

    /// Goes over all elements: `rule(weight, gradient, its square, slots)`.
    fn each<const N: usize>(&mut self, rule: impl Fn(&mut F, F, F, [&mut F; N])) -> Result<()> {
        self.each_beside(self.squares, |g| g * g, rule)
    }

    /// The same with something else in the place of the square: given, or made of the gradient.
    fn each_beside<const N: usize>(
        &mut self,
        given: Option<&[F]>,
        make: impl Fn(F) -> F,
        rule: impl Fn(&mut F, F, F, [&mut F; N]),
    ) -> Result<()> {
        let mut slots = self.kept::<N>()?;
        let n = self.weight.len();
        let lengths = [self.gradient.len(), given.map_or(n, <[F]>::len)];
        if lengths.into_iter().chain(slots.iter().map(|slot| slot.len())).any(|length| length != n)
        {
            return Err(Error::Value("what is kept for a weight has another length".to_owned()));
        }
        for i in 0..n {
            let g = self.gradient[i];
            let beside = given.map_or_else(|| make(g), |given| given[i]);
            rule(&mut self.weight[i], g, beside, slots.each_mut().map(|slot| &mut slot[i]));
        }
        Ok(())
    }

    /// The squares of the gradient.
    fn squares(&self) -> Vec<F> {
        let own = || self.gradient.iter().map(|g| *g * *g).collect();
        self.squares.map_or_else(own, <[F]>::to_vec)
    }

    /// `beta` to the power of the number of the update.
    fn power(&self, beta: F) -> F {
        beta.powf(self.step)
    }
}

/// What a rule needs of the gradient of a table: whether it squares the gradient, or takes absolute
/// values.
pub(super) fn by_rows(kind: &OptimizerKind) -> ByRows {
    let is_linear = matches!(kind, OptimizerKind::SGD { .. } | OptimizerKind::Lion { .. });
    let sizes = matches!(kind, OptimizerKind::Adamax { .. });
    ByRows { squares: !is_linear && !sizes, sizes, clip: None }
}

/// The variables that are kept for a weight, in Keras's order.
pub(super) fn slots(kind: &OptimizerKind, weight: Trained<'_>) -> Vec<Slot> {
    let like = |names: &[&'static str]| -> Vec<Slot> {
        names.iter().map(|name| Slot::like(name, weight, 0.0)).collect()
    };
    match kind {
        OptimizerKind::SGD { momentum, .. } => sgd::slots(*momentum, weight),
        OptimizerKind::RMSprop { momentum, centered, .. } => {
            rmsprop::slots(*momentum, *centered, weight)
        }
        OptimizerKind::Adam { amsgrad, .. } | OptimizerKind::AdamW { amsgrad, .. } => {
            adam::slots(*amsgrad, weight)
        }
        OptimizerKind::Adamax { .. } => like(&["momentum", "norm"]),
        OptimizerKind::Nadam { .. } | OptimizerKind::Lamb { .. } => like(&["momentum", "velocity"]),
        OptimizerKind::Adagrad { initial_accumulator_value, .. } => {
            vec![Slot::like("accumulator", weight, *initial_accumulator_value)]
        }
        OptimizerKind::Adadelta { .. } => like(&["accumulated_grad", "accumulated_delta_var"]),
        OptimizerKind::Ftrl { initial_accumulator_value, .. } => {
            ftrl::slots(*initial_accumulator_value, weight)
        }
        OptimizerKind::Lion { .. } => like(&["momentum"]),
        OptimizerKind::Adafactor { .. } => adafactor::slots(weight),
        OptimizerKind::Muon { .. } => muon::slots(kind, weight),
        OptimizerKind::ScheduleFreeAdamW { .. } => schedule_free_adam_w::slots(weight),
        // They keep nothing themselves.
        OptimizerKind::LossScaleOptimizer { .. }
        | OptimizerKind::MultiOptimizer { .. }
        | OptimizerKind::Custom { .. } => Vec::new(),
    }
}

/// Changes a weight. `product` is what Nadam keeps beside the weights; Adafactor asks whether the rate
/// is that of a schedule.
pub(super) fn update<F: Real>(
    kind: &OptimizerKind,
    is_scheduled: bool,
    product: f32,
    update: Update<'_, F>,
) -> Result<()> {
    use OptimizerKind as Kind;
    match kind {
        Kind::SGD { momentum, nesterov } => sgd::update(update, *momentum, *nesterov),
        Kind::RMSprop { rho, momentum, epsilon, centered } => {
            rmsprop::update(update, *rho, *momentum, *epsilon, *centered)
        }
        Kind::Adam { beta_1, beta_2, epsilon, amsgrad }
        | Kind::AdamW { beta_1, beta_2, epsilon, amsgrad } => {
            adam::update(update, [*beta_1, *beta_2], *epsilon, *amsgrad)
        }
        Kind::Adamax { beta_1, beta_2, epsilon } => {
            adamax::update(update, [*beta_1, *beta_2], *epsilon)
        }
        Kind::Nadam { beta_1, beta_2, epsilon, .. } => {
            nadam::update(update, [*beta_1, *beta_2], *epsilon, product)
        }
        Kind::Lamb { beta_1, beta_2, epsilon } => {
            lamb::update(update, [*beta_1, *beta_2], *epsilon)
        }
        Kind::Adagrad { epsilon, .. } => adagrad::update(update, *epsilon),
        Kind::Adadelta { rho, epsilon } => adadelta::update(update, *rho, *epsilon),
        Kind::Ftrl {
            learning_rate_power,
            l1_regularization_strength,
            l2_regularization_strength,
            l2_shrinkage_regularization_strength,
            beta,
            ..
        } => ftrl::update(
            update,
            *learning_rate_power,
            *l1_regularization_strength,
            *l2_regularization_strength,
            *l2_shrinkage_regularization_strength,
            *beta,
        ),
        Kind::Lion { beta_1, beta_2 } => lion::update(update, [*beta_1, *beta_2]),
        Kind::Adafactor { beta_2_decay, epsilon_1, epsilon_2, clip_threshold, relative_step } => {
            let epsilons = [*epsilon_1, *epsilon_2];
            let relative = *relative_step && !is_scheduled;
            adafactor::update(update, *beta_2_decay, epsilons, *clip_threshold, relative)
        }
        Kind::Muon { .. } => muon::update(update, kind),
        Kind::ScheduleFreeAdamW { beta_1, beta_2, epsilon, warmup_steps } => {
            schedule_free_adam_w::update(update, [*beta_1, *beta_2], *epsilon, *warmup_steps)
        }
        Kind::LossScaleOptimizer { .. } | Kind::MultiOptimizer { .. } => {
            Err(Error::Value("an optimizer of others changes no weight itself".to_owned()))
        }
        Kind::Custom { name, .. } => Err(unknown(name)),
    }
}

/// The error for an optimizer of the file's author.
pub(super) fn unknown(name: &str) -> Error {
    Error::Training {
        what: "optimizer",
        name: name.to_owned(),
        reason: "is none of Keras's: compile the model with one of these".to_owned(),
    }
}

impl Slot {
    /// A variable of the weight's shape.
    fn like(name: &'static str, weight: Trained<'_>, start: f64) -> Self {
        Self { name, shape: weight.shape.to_vec(), start }
    }
}
