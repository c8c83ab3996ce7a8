//! `Lamb`. Source: `keras/src/optimizers/lamb.py`, Keras 3.15.

use super::Update;
use crate::element::Real;
use crate::{Error, Result};

/// Adam's step, as long as the weight itself times the rate.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    [beta_1, beta_2]: [f64; 2],
    epsilon: f64,
) -> Result<()> {
    let number = Update::<F>::number;
    let (one, epsilon) = (F::one(), number(epsilon));
    let [correction_1, correction_2] =
        [beta_1, beta_2].map(|beta| one - update.power(number(beta)));
    let [rest_1, rest_2] = [beta_1, beta_2].map(|beta| number(1.0 - beta));
    let squares = update.squares();
    let [m, v] = update.kept()?;
    let n = update.weight.len();
    if [m.len(), v.len(), update.gradient.len()].iter().any(|length| *length != n) {
        return Err(Error::Value("what is kept for a weight has another length".to_owned()));
    }
    let mut step = Vec::with_capacity(n);
    for (((g, square), m), v) in update.gradient.iter().zip(squares).zip(m).zip(v) {
        *m += (*g - *m) * rest_1;
        *v += (square - *v) * rest_2;
        step.push(*m / correction_1 / ((*v / correction_2).sqrt() + epsilon));
    }
    let length = |all: &[F]| all.iter().fold(F::zero(), |sum, x| sum + *x * *x).sqrt();
    let (own, long) = (length(update.weight), length(&step));
    let ratio = if own > F::zero() && long > F::zero() { own / long } else { one };
    for (w, step) in update.weight.iter_mut().zip(step) {
        *w -= ratio * update.rate * step;
    }
    Ok(())
}
