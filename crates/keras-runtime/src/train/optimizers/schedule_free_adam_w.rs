//! `ScheduleFreeAdamW`. Source: `keras/src/optimizers/schedule_free_adamw.py`, Keras 3.15.

use super::{Slot, Trained, Update};
use crate::Result;
use crate::element::Real;

/// `momentum`, which is where the steps go to, and `velocity`. Keras means to start the first at the
/// weight, but `fit` builds the optimizer where what is assigned is lost.
pub(super) fn slots(weight: Trained<'_>) -> Vec<Slot> {
    vec![Slot::like("momentum", weight, 0.0), Slot::like("velocity", weight, 0.0)]
}

/// The weight is a mean of where the steps lead, `z`, and of the average `x` of all these places.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    betas: [f64; 2],
    epsilon: f64,
    warmup_steps: f64,
) -> Result<()> {
    let number = Update::<F>::number;
    let (one, step, epsilon) = (F::one(), update.step, number(epsilon));
    let [beta_1, beta_2] = betas.map(number);
    let warm = if warmup_steps > 0.0 { (step / number(warmup_steps)).min(one) } else { one };
    let rate = update.rate * warm;
    let correction = one - update.power(beta_2);
    let part = one / step;
    update.each(|w, g, square, [z, v]| {
        *v += (square - *v) * (one - beta_2);
        *z -= rate * g / ((*v / correction).sqrt() + epsilon);
        // Keras means the `z` of before, and reads the variable after it has moved.
        let average = (*w - (one - beta_1) * *z) / beta_1;
        let average = (one - part) * average + part * *z;
        *w = (one - beta_1) * *z + beta_1 * average;
    })
}
