//! `Adadelta`. Source: `keras/src/optimizers/adadelta.py`, Keras 3.15.

use super::Update;
use crate::Result;
use crate::element::Real;

/// The step is the gradient times the ratio of the mean sizes of steps and gradients until now.
pub(super) fn update<F: Real>(mut update: Update<'_, F>, rho: f64, epsilon: f64) -> Result<()> {
    let number = Update::<F>::number;
    let (rest, rho, epsilon) = (number(1.0 - rho), number(rho), number(epsilon));
    let rate = update.rate;
    update.each(|w, g, square, [gradients, steps]| {
        *gradients = rho * *gradients + rest * square;
        let ratio = (*steps + epsilon).sqrt() / (*gradients + epsilon).sqrt();
        *steps = rho * *steps + rest * ratio * ratio * square;
        *w -= rate * ratio * g;
    })
}
