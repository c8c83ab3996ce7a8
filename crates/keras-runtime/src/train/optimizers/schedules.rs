//! Learning rates that follow from the number of steps made.
//! Source: `keras/src/optimizers/schedules/learning_rate_schedule.py`, Keras 3.15.

use std::f32::consts::PI;

use keras_model::compile::Schedule;

use crate::{Error, Result};

/// The learning rate at a step, from 0. All numbers are `float32`, as in Keras.
///
/// # Errors
/// [`Error::Training`] for a schedule of the file's author.
pub(in crate::train) fn rate(schedule: &Schedule, step: i64) -> Result<f32> {
    let step = step as f32;
    let whole = |x: f32, staircase: bool| if staircase { x.floor() } else { x };
    Ok(match schedule {
        Schedule::ExponentialDecay {
            initial_learning_rate,
            decay_steps,
            decay_rate,
            staircase,
        } => {
            let part = whole(step / *decay_steps as f32, *staircase);
            *initial_learning_rate as f32 * (*decay_rate as f32).powf(part)
        }
        Schedule::PiecewiseConstantDecay { boundaries, values } => {
            let passed = boundaries.iter().take_while(|b| step > **b as f32).count();
            let value = values.get(passed).ok_or_else(|| {
                Error::Value("a schedule has fewer values than boundaries".to_owned())
            })?;
            *value as f32
        }
        Schedule::PolynomialDecay {
            initial_learning_rate,
            decay_steps,
            end_learning_rate,
            power,
            cycle,
        } => {
            let (mut steps, mut at) = (*decay_steps as f32, step);
            if *cycle {
                steps *= if step == 0.0 { 1.0 } else { (step / steps).ceil() };
            } else {
                at = at.min(steps);
            }
            let (start, end) = (*initial_learning_rate as f32, *end_learning_rate as f32);
            (start - end) * (1.0 - at / steps).powf(*power as f32) + end
        }
        Schedule::InverseTimeDecay {
            initial_learning_rate,
            decay_steps,
            decay_rate,
            staircase,
        } => {
            let part = whole(step / *decay_steps as f32, *staircase);
            *initial_learning_rate as f32 / (1.0 + *decay_rate as f32 * part)
        }
        Schedule::CosineDecay {
            initial_learning_rate,
            decay_steps,
            alpha,
            warmup_target,
            warmup_steps,
        } => {
            let (start, steps) = (*initial_learning_rate as f32, *decay_steps as f32);
            let decayed = |at: f32, from: f32| {
                let cosine = 0.5 * (1.0 + (PI * (at / steps)).cos());
                from * ((1.0 - *alpha as f32) * cosine + *alpha as f32)
            };
            match warmup_target {
                None => decayed(step.min(steps), start),
                Some(target) => {
                    let (target, warm) = (*target as f32, *warmup_steps as f32);
                    let at = step.min(steps + warm);
                    if at < warm {
                        (target - start) * (at / warm) + start
                    } else {
                        decayed(at - warm, target)
                    }
                }
            }
        }
        Schedule::CosineDecayRestarts {
            initial_learning_rate,
            first_decay_steps,
            t_mul,
            m_mul,
            alpha,
        } => {
            let (longer, alpha) = (*t_mul as f32, *alpha as f32);
            let passed = step / *first_decay_steps as f32;
            let (restarts, part) = if longer == 1.0 {
                (passed.floor(), passed - passed.floor())
            } else {
                let restarts = ((1.0 - passed * (1.0 - longer)).ln() / longer.ln()).floor();
                let sum = (1.0 - longer.powf(restarts)) / (1.0 - longer);
                (restarts, (passed - sum) / longer.powf(restarts))
            };
            let smaller = (*m_mul as f32).powf(restarts);
            let cosine = 0.5 * smaller * (1.0 + (PI * part).cos());
            *initial_learning_rate as f32 * ((1.0 - alpha) * cosine + alpha)
        }
        Schedule::Custom { name, .. } => {
            return Err(Error::Training {
                what: "learning-rate schedule",
                name: name.clone(),
                reason: "is none of Keras's: compile the model with one of these".to_owned(),
            });
        }
    })
}
