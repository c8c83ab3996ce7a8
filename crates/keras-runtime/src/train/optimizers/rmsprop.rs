//! `RMSprop`. Source: `keras/src/optimizers/rmsprop.py`, Keras 3.15.

use super::{Slot, Trained, Update};
use crate::Result;
use crate::element::Real;

/// `velocity`, `momentum` if there is any, `average_gradient` if it is centered.
pub(super) fn slots(momentum: f64, centered: bool, weight: Trained<'_>) -> Vec<Slot> {
    let more = [(true, "velocity"), (momentum > 0.0, "momentum"), (centered, "average_gradient")];
    let more = more.into_iter().filter(|(has, _)| *has);
    more.map(|(_, name)| Slot::like(name, weight, 0.0)).collect()
}

/// `v = rho · v + (1 - rho) · g²`, `w -= rate · g / sqrt(v + epsilon)`; centered without the square of
/// the mean gradient; with momentum the step is added to `momentum` times the one before.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    rho: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
) -> Result<()> {
    let number = Update::<F>::number;
    let (rate, keeps, epsilon) = (update.rate, momentum > 0.0, number(epsilon));
    let (rest, rho, momentum) = (number(1.0 - rho), number(rho), number(momentum));
    let step = |g: F, square: F, v: &mut F, mean: Option<&mut F>| {
        *v = rho * *v + rest * square;
        let spread = match mean {
            Some(mean) => {
                *mean = rho * *mean + rest * g;
                *v - *mean * *mean
            }
            None => *v,
        };
        rate * g / (spread + epsilon).sqrt()
    };
    let keep = |m: &mut F, step: F| {
        *m = momentum * *m + step;
        *m
    };
    match (keeps, centered) {
        (false, false) => update.each(|w, g, s, [v]| *w -= step(g, s, v, None)),
        (false, true) => update.each(|w, g, s, [v, mean]| *w -= step(g, s, v, Some(mean))),
        (true, false) => update.each(|w, g, s, [v, m]| *w -= keep(m, step(g, s, v, None))),
        (true, true) => update.each(|w, g, s, [v, m, mean]| {
            *w -= keep(m, step(g, s, v, Some(mean)));
        }),
    }
}
