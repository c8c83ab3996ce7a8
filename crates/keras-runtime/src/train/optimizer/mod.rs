//! The optimizer of a model: what it keeps, and a step of it.
//! Source: `keras/src/optimizers/base_optimizer.py`, Keras 3.15.

mod kept;
mod state;

use kept::{How, Kept};
use keras_model::compile::{self, LearningRate, OptimizerKind};
use keras_model::{ModelFile, Weight};
use state::{prefix, scalar};

use super::constraints;
use super::floats::{self, with_float};
use super::gradient::{ByRows, Gradient};
use super::optimizers::{self, schedules};
use crate::weights::Weights;
use crate::{Error, Limits, Result, Tensor};

/// An optimizer and all that it keeps.
#[derive(Clone, Debug)]
pub(crate) struct Optimizer {
    config: compile::Optimizer,
    /// Steps that were made; of `gradient_accumulation_steps` each counts.
    iterations: i64,
    /// The learning rate, where no schedule says it.
    rate: f32,
    /// What Nadam keeps beside the weights.
    product: f32,
    /// The weights that it trains: their places among all trainable ones.
    trained: Vec<usize>,
    kept: Vec<Kept>,
    inner: Inner,
}

/// Optimizers within it.
#[derive(Clone, Debug)]
enum Inner {
    None,
    /// `LossScaleOptimizer`: the scale, and how many steps in a row were finite.
    Scaled {
        inner: Box<Optimizer>,
        scale: f32,
        counter: i64,
    },
    /// `MultiOptimizer`, by name.
    Several(Vec<Optimizer>),
}

impl Optimizer {
    /// The optimizer of a file, with its state as far as the file has it.
    ///
    /// # Errors
    /// [`Error::Value`] if the model was not compiled, [`Error::Training`] if the optimizer is none
    /// of Keras's.
    pub(crate) fn new(file: &ModelFile, weights: &Weights, limits: &Limits) -> Result<Self> {
        let config = file.compile.as_ref().and_then(|c| c.optimizer.as_ref());
        let config = config.ok_or_else(|| {
            Error::Value("there is no optimizer: the model was not compiled".to_owned())
        })?;
        let all: Vec<usize> = (0..weights.all_trainable().count()).collect();
        Self::of(config, "", all, file, weights, limits)
    }

    /// That of these weights; `within` stands before the names of its scalars.
    fn of(
        config: &compile::Optimizer,
        within: &str,
        trained: Vec<usize>,
        file: &ModelFile,
        weights: &Weights,
        limits: &Limits,
    ) -> Result<Self> {
        let scalar = |name: &str| scalar(file.optimizer_state.as_ref(), &format!("{within}{name}"));
        let mut kept = Vec::new();
        let inner = match &config.kind {
            OptimizerKind::Custom { name, .. } => return Err(optimizers::unknown(name)),
            OptimizerKind::LossScaleOptimizer { inner_optimizer, initial_scale, .. } => {
                let within = prefix(inner_optimizer);
                let inner =
                    Self::of(inner_optimizer, &within, trained.clone(), file, weights, limits)?;
                let scale = scalar("dynamic_scale")?.unwrap_or(*initial_scale) as f32;
                let counter = scalar("step_counter")?.unwrap_or(0.0) as i64;
                Inner::Scaled { inner: Box::new(inner), scale, counter }
            }
            OptimizerKind::MultiOptimizer { optimizer_map } => {
                let paths: Vec<&str> =
                    weights.all_trainable().map(|(_, w)| w.path.as_str()).collect();
                let mut all = Vec::new();
                for own in optimizer_map.optimizers() {
                    let is_own = |at: &usize| {
                        paths.get(*at).is_some_and(|path| std::ptr::eq(optimizer_map.of(path), own))
                    };
                    let trained = trained.iter().copied().filter(is_own).collect();
                    let within = prefix(own);
                    all.push(Self::of(own, &within, trained, file, weights, limits)?);
                }
                Inner::Several(all)
            }
            _ => {
                let all: Vec<(usize, &Weight)> = weights.all_trainable().collect();
                for at in &trained {
                    let Some((place, weight)) = all.get(*at) else { continue };
                    kept.push(Kept::new(config, file, weights, limits, (*place, *weight))?);
                }
                Inner::None
            }
        };
        let start = match &config.learning_rate {
            // One that holds others has one that nothing uses.
            LearningRate::Constant(rate) if matches!(inner, Inner::None) => *rate,
            _ => 0.0,
        };
        let momenta = ["u_product", "m_schedule", "momentum_cache"].iter();
        let product = momenta.map(|name| scalar(name)).find_map(Result::transpose);
        Ok(Self {
            config: config.clone(),
            iterations: scalar("iteration")?.unwrap_or(0.0) as i64,
            rate: scalar("learning_rate")?.unwrap_or(start) as f32,
            product: product.transpose()?.unwrap_or(1.0) as f32,
            trained,
            kept,
            inner,
        })
    }

    /// What the loss is multiplied by before gradients are taken: `scale_loss`.
    pub(crate) fn loss_scale(&self) -> Option<f32> {
        match &self.inner {
            Inner::Scaled { scale, .. } => Some(*scale),
            _ => self.config.loss_scale_factor.map(|scale| scale as f32),
        }
    }

    /// The learning rate of the next step.
    ///
    /// # Errors
    /// [`Error::Training`] if a schedule is none of Keras's.
    pub(crate) fn learning_rate(&self) -> Result<f32> {
        if let Inner::Scaled { inner, .. } = &self.inner {
            return inner.learning_rate();
        }
        match &self.config.learning_rate {
            LearningRate::Constant(_) if self.config.decay > 0.0 => {
                Ok(self.rate / (1.0 + self.config.decay as f32 * self.iterations as f32))
            }
            LearningRate::Constant(_) => Ok(self.rate),
            LearningRate::Schedule(schedule) => schedules::rate(schedule, self.iterations),
        }
    }

    /// Sets the learning rate.
    ///
    /// # Errors
    /// [`Error::Value`] if it is a schedule's.
    pub(crate) fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        match (&mut self.inner, &self.config.learning_rate) {
            (Inner::Scaled { inner, .. }, _) => inner.set_learning_rate(rate),
            (Inner::Several(_), _) => {
                Err(Error::Value("several optimizers have several learning rates".to_owned()))
            }
            (Inner::None, LearningRate::Schedule(_)) => {
                Err(Error::Value("a schedule says the learning rate".to_owned()))
            }
            (Inner::None, LearningRate::Constant(_)) => {
                self.rate = rate;
                Ok(())
            }
        }
    }

    /// What it needs of the gradients of tables.
    pub(crate) fn by_rows(&self) -> ByRows {
        match &self.inner {
            // What is scaled cannot be clipped.
            Inner::Scaled { inner, .. } => ByRows { clip: None, ..inner.by_rows() },
            Inner::Several(all) => all.iter().map(Self::by_rows).fold(ByRows::default(), |a, b| {
                let (squares, sizes) = (a.squares || b.squares, a.sizes || b.sizes);
                // One of them may clip, another not.
                ByRows { squares, sizes, clip: None }
            }),
            Inner::None => {
                let clips = self.config.clipnorm.is_some() || self.config.global_clipnorm.is_some();
                let own = optimizers::by_rows(&self.config.kind);
                let most = self.config.clipvalue.filter(|most| *most > 0.0);
                let most = most.filter(|_| {
                    self.config.loss_scale_factor.is_none()
                        && self.config.gradient_accumulation_steps.is_none()
                });
                ByRows { squares: own.squares || clips, clip: most.map(f64::to_bits), ..own }
            }
        }
    }

    /// Steps that were made.
    pub(crate) fn iterations(&self) -> i64 {
        match &self.inner {
            Inner::Scaled { inner, .. } => inner.iterations(),
            _ => self.iterations,
        }
    }

    /// Changes the weights by the gradients of all trainable ones, which are scaled as the loss was.
    ///
    /// # Errors
    /// [`Error::Value`] if no weight has a gradient.
    pub(crate) fn apply(
        &mut self,
        weights: &mut Weights,
        limits: &Limits,
        mut gradients: Vec<Option<Gradient>>,
    ) -> Result<()> {
        for gradient in gradients.iter_mut().flatten() {
            gradient.widen()?;
        }
        self.step(weights, limits, gradients)
    }

    /// The same with gradients in the type that is computed in.
    fn step(
        &mut self,
        weights: &mut Weights,
        limits: &Limits,
        mut gradients: Vec<Option<Gradient>>,
    ) -> Result<()> {
        if gradients.iter().all(Option::is_none) {
            return Err(Error::Value("no trainable weight has a gradient of the loss".to_owned()));
        }
        let divide = |gradients: &mut [Option<Gradient>], by: f64| {
            gradients.iter_mut().flatten().try_for_each(|g| g.divide(by))
        };
        match &mut self.inner {
            Inner::Scaled { inner, scale, counter } => {
                if gradients.iter().flatten().all(|g| floats::is_finite(&g.sum)) {
                    divide(&mut gradients, f64::from(*scale))?;
                    inner.step(weights, limits, gradients)?;
                    *counter += 1;
                    let OptimizerKind::LossScaleOptimizer { dynamic_growth_steps, .. } =
                        &self.config.kind
                    else {
                        return Ok(());
                    };
                    if *counter as f64 >= *dynamic_growth_steps {
                        (*counter, *scale) = (0, *scale * 2.0);
                    }
                } else {
                    (*counter, *scale) = (0, *scale * 0.5);
                }
                return Ok(());
            }
            Inner::Several(all) => {
                for inner in all {
                    let mut own = vec![None; gradients.len()];
                    for at in &inner.trained {
                        if let (Some(own), Some(given)) = (own.get_mut(*at), gradients.get_mut(*at))
                        {
                            *own = given.take();
                        }
                    }
                    if own.iter().any(Option::is_some) {
                        inner.step(weights, limits, own)?;
                    }
                }
                self.iterations += 1;
                return Ok(());
            }
            Inner::None => {}
        }
        if let Some(scale) = self.config.loss_scale_factor {
            divide(&mut gradients, scale)?;
        }
        let mut take = |at: &usize| gradients.get_mut(*at).and_then(Option::take);
        let mut own: Vec<Option<Gradient>> = self.trained.iter().map(&mut take).collect();
        if self.is_time(&mut own)? {
            self.update(weights, limits, &mut own)?;
        }
        self.average(weights, limits)?;
        for (kept, gradient) in self.kept.iter().zip(&own) {
            if let (Some(constraint), Some(_)) = (&kept.constraint, gradient) {
                weights
                    .change(kept.place, limits, |weight| constraints::apply(constraint, weight))?;
            }
        }
        self.iterations += 1;
        Ok(())
    }

    /// Adds the gradients to those since the last update. Whether it is time for one, with the mean of
    /// all of them in their place.
    fn is_time(&mut self, gradients: &mut [Option<Gradient>]) -> Result<bool> {
        let Some(steps) = self.config.gradient_accumulation_steps else { return Ok(true) };
        let is_time = (self.iterations + 1) % whole(steps) == 0;
        for (gradient, kept) in gradients.iter_mut().zip(&mut self.kept) {
            let (Some(gradient), Some(sum)) = (gradient, &mut kept.sum) else { continue };
            floats::mix(sum, 1.0, &gradient.sum, 1.0)?;
            if is_time {
                let zeros = Tensor::zeros(sum.shape(), sum.dtype());
                *gradient = Gradient::of(std::mem::replace(sum, zeros));
                gradient.divide(steps as f64)?;
            }
        }
        Ok(is_time)
    }

    /// One update of all weights that have a gradient.
    fn update(
        &mut self,
        weights: &mut Weights,
        limits: &Limits,
        gradients: &mut [Option<Gradient>],
    ) -> Result<()> {
        self.clip(gradients)?;
        let rate = self.learning_rate()?;
        // Several steps for one update count as one.
        let steps = whole(self.config.gradient_accumulation_steps.unwrap_or(1));
        let step = self.iterations / steps + 1;
        let kind = &self.config.kind;
        if let OptimizerKind::Nadam { beta_1, .. } = kind {
            self.product = optimizers::nadam_product(self.product, *beta_1, step as f32);
        }
        let how = How {
            kind,
            is_scheduled: matches!(self.config.learning_rate, LearningRate::Schedule(_)),
            product: self.product,
            rate: f64::from(rate),
            step: step as f64,
        };
        for (kept, gradient) in self.kept.iter_mut().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            let decay = match kind {
                OptimizerKind::Muon { adam_weight_decay, .. }
                    if kind.is_left_to_adam(&kept.path, gradient.sum.shape().len()) =>
                {
                    *adam_weight_decay
                }
                _ => self.config.weight_decay,
            };
            weights.change(kept.place, limits, |weight| {
                with_float!(weight.dtype(), F => kept.update::<F>(weight, gradient, decay, &how))
            })?;
        }
        Ok(())
    }

    /// Makes gradients shorter that are longer than the config says.
    fn clip(&self, gradients: &mut [Option<Gradient>]) -> Result<()> {
        let positive = |most: Option<f64>| most.filter(|most| *most > 0.0);
        let mut all = gradients.iter_mut().flatten();
        if let Some(most) = positive(self.config.clipnorm) {
            return all.try_for_each(|g| g.divide(g.squared().sqrt().max(most) / most));
        }
        if let Some(most) = positive(self.config.global_clipnorm) {
            let norm = gradients.iter().flatten().map(Gradient::squared).sum::<f64>().sqrt();
            // What is infinite spoils all, as in Keras.
            let by = if norm.is_finite() { norm.max(most) / most } else { f64::NAN };
            return gradients.iter_mut().flatten().try_for_each(|g| g.divide(by));
        }
        match positive(self.config.clipvalue) {
            Some(most) => all.try_for_each(|g| g.clip(most)),
            None => Ok(()),
        }
    }

    /// Moves the averages of the weights, and puts them in the weights' place if it is time.
    fn average(&mut self, weights: &mut Weights, limits: &Limits) -> Result<()> {
        if !self.config.use_ema {
            return Ok(());
        }
        let steps = whole(self.config.gradient_accumulation_steps.unwrap_or(1));
        let updates = self.iterations / steps;
        let momentum = if updates == 0 { 0.0 } else { self.config.ema_momentum };
        let frequency = self.config.ema_overwrite_frequency.map(whole);
        for kept in &mut self.kept {
            let Some(average) = &mut kept.average else { continue };
            weights.change(kept.place, limits, |w| {
                floats::mix(average, momentum, w, 1.0 - momentum)
            })?;
        }
        match frequency {
            Some(frequency) if (updates + 1) % frequency == 0 => self.finish(weights, limits),
            _ => Ok(()),
        }
    }

    /// Puts the averages in the place of the weights, if there are any: `finalize_variable_values`,
    /// at the end of training.
    ///
    /// # Errors
    /// None but of weights that are not there.
    pub(crate) fn finish(&self, weights: &mut Weights, limits: &Limits) -> Result<()> {
        match &self.inner {
            Inner::Scaled { inner, .. } => return inner.finish(weights, limits),
            Inner::Several(all) => {
                return all.iter().try_for_each(|inner| inner.finish(weights, limits));
            }
            Inner::None => {}
        }
        for kept in &self.kept {
            if let Some(average) = &kept.average {
                weights.change(kept.place, limits, |weight| {
                    *weight = average.clone();
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Steps, as they are counted.
fn whole(steps: u64) -> i64 {
    i64::try_from(steps).unwrap_or(i64::MAX).max(1)
}
