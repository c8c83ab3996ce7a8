//! `Ftrl`. Source: `keras/src/optimizers/ftrl.py`, Keras 3.15.

use super::{Slot, Trained, Update};
use crate::Result;
use crate::element::Real;

/// `accumulator`, `linear`.
pub(super) fn slots(initial_accumulator_value: f64, weight: Trained<'_>) -> Vec<Slot> {
    [("accumulator", initial_accumulator_value), ("linear", 0.0)]
        .map(|(name, start)| Slot::like(name, weight, start))
        .to_vec()
}

/// "Follow the regularised leader": the weight is made anew of the sums of all steps.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    learning_rate_power: f64,
    l1: f64,
    l2: f64,
    shrinkage: f64,
    beta: f64,
) -> Result<()> {
    let number = Update::<F>::number;
    let (rate, two) = (update.rate, number(2.0));
    let l2 = number(l2) + number(beta) / (two * rate);
    let (l1, shrinkage) = (number(l1), number(2.0 * shrinkage));
    let power = |a: F| a.powf(number(-learning_rate_power));
    update.each(|w, g, square, [accumulator, linear]| {
        let shrunk = g + shrinkage * *w;
        let sum = *accumulator + square;
        *linear += shrunk - (power(sum) - power(*accumulator)) / rate * *w;
        let quadratic = power(sum) / rate + two * l2;
        *w = (linear.max(-l1).min(l1) - *linear) / quadratic;
        *accumulator = sum;
    })
}
