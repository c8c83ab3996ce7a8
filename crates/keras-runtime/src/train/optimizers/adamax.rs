//! `Adamax`. Source: `keras/src/optimizers/adamax.py`, Keras 3.15.

use super::Update;
use crate::Result;
use crate::element::Real;

/// `u = max(beta_2 · u, |g|)`, `w -= rate · m / ((1 - beta_1^t) · (u + epsilon))`.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    [beta_1, beta_2]: [f64; 2],
    epsilon: f64,
) -> Result<()> {
    let number = Update::<F>::number;
    let (rate, epsilon, rest) = (update.rate, number(epsilon), number(1.0 - beta_1));
    let correction = F::one() - update.power(number(beta_1));
    let beta_2 = number(beta_2);
    update.each_beside(update.sizes, F::abs, |w, g, size, [m, u]| {
        *m += (g - *m) * rest;
        *u = (beta_2 * *u).max(size);
        *w -= rate * *m / (correction * (*u + epsilon));
    })
}
