//! `Lion`. Source: `keras/src/optimizers/lion.py`, Keras 3.15.

use super::Update;
use crate::Result;
use crate::element::Real;

/// `w -= rate · sign(beta_1 · m + (1 - beta_1) · g)`, `m = beta_2 · m + (1 - beta_2) · g`.
pub(super) fn update<F: Real>(mut update: Update<'_, F>, betas: [f64; 2]) -> Result<()> {
    let (rate, one, [beta_1, beta_2]) = (update.rate, F::one(), betas.map(Update::<F>::number));
    update.each(|w, g, _, [m]| {
        let along = *m * beta_1 + g * (one - beta_1);
        // The sign of 0 is 0 here.
        let sign = if along == F::zero() { along } else { along.signum() };
        *w -= rate * sign;
        *m = *m * beta_2 + g * (one - beta_2);
    })
}
