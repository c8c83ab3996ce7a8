//! `Adagrad`. Source: `keras/src/optimizers/adagrad.py`, Keras 3.15.

use super::Update;
use crate::Result;
use crate::element::Real;

/// `a += g²`, `w -= rate · g / sqrt(a + epsilon)`.
pub(super) fn update<F: Real>(mut update: Update<'_, F>, epsilon: f64) -> Result<()> {
    let (rate, epsilon) = (update.rate, Update::<F>::number(epsilon));
    update.each(|w, g, square, [a]| {
        *a += square;
        *w -= rate * g / (*a + epsilon).sqrt();
    })
}
