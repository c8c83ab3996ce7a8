//! `SGD`. Source: `keras/src/optimizers/sgd.py`, Keras 3.15.

use super::{Slot, Trained, Update};
use crate::Result;
use crate::element::Real;

/// `momentum`, if there is any.
pub(super) fn slots(momentum: f64, weight: Trained<'_>) -> Vec<Slot> {
    let has = momentum != 0.0;
    has.then(|| Slot::like("momentum", weight, 0.0)).into_iter().collect()
}

/// `m = momentum · m - rate · g`, `w += m`; with `nesterov` `w += momentum · m - rate · g`.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    momentum: f64,
    nesterov: bool,
) -> Result<()> {
    let rate = update.rate;
    if momentum == 0.0 {
        return update.each(|w, g, _, []| *w -= g * rate);
    }
    let momentum = Update::<F>::number(momentum);
    update.each(|w, g, _, [m]| {
        *m = *m * momentum - g * rate;
        *w += if nesterov { *m * momentum - g * rate } else { *m };
    })
}
