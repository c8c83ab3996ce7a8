//! `Adam` and `AdamW`, which differ in the weight decay that all optimizers have.
//! Source: `keras/src/optimizers/adam.py`, Keras 3.15.

use super::{Slot, Trained, Update};
use crate::Result;
use crate::element::Real;

/// `momentum`, `velocity`, and with `amsgrad` `velocity_hat`.
pub(super) fn slots(amsgrad: bool, weight: Trained<'_>) -> Vec<Slot> {
    let names: &[&'static str] =
        if amsgrad { &["momentum", "velocity", "velocity_hat"] } else { &["momentum", "velocity"] };
    names.iter().map(|name| Slot::like(name, weight, 0.0)).collect()
}

/// `w -= rate · sqrt(1 - beta_2^t) / (1 - beta_1^t) · m / (sqrt(v) + epsilon)` with the moving means
/// `m` of gradients and `v` of their squares; with `amsgrad` the largest `v` until now.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    [beta_1, beta_2]: [f64; 2],
    epsilon: f64,
    amsgrad: bool,
) -> Result<()> {
    let number = Update::<F>::number;
    let epsilon = number(epsilon);
    let [rest_1, rest_2] = [beta_1, beta_2].map(|beta| number(1.0 - beta));
    let [power_1, power_2] = [beta_1, beta_2].map(|beta| update.power(number(beta)));
    let alpha = update.rate * (F::one() - power_2).sqrt() / (F::one() - power_1);
    let means = |g: F, square: F, m: &mut F, v: &mut F| {
        *m += (g - *m) * rest_1;
        *v += (square - *v) * rest_2;
    };
    if amsgrad {
        return update.each(|w, g, square, [m, v, largest]| {
            means(g, square, m, v);
            *largest = largest.max(*v);
            *w -= *m * alpha / (largest.sqrt() + epsilon);
        });
    }
    update.each(|w, g, square, [m, v]| {
        means(g, square, m, v);
        *w -= *m * alpha / (v.sqrt() + epsilon);
    })
}
