//! `Nadam`. Source: `keras/src/optimizers/nadam.py`, Keras 3.15.

use super::Update;
use crate::Result;
use crate::element::Real;

/// What `beta_1` is at a step.
fn momentum<F: Real>(beta_1: F, step: F) -> F {
    let number = Update::<F>::number;
    beta_1 * (F::one() - number(0.5) * number(0.96).powf(step))
}

/// The product of all momenta until now, which is kept beside the weights.
pub(in crate::train) fn product(before: f32, beta_1: f64, step: f32) -> f32 {
    before * momentum(beta_1 as f32, step)
}

/// Adam with Nesterov's momentum, whose strength rises with the steps.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    betas: [f64; 2],
    epsilon: f64,
    product: f32,
) -> Result<()> {
    let number = Update::<F>::number;
    let one = F::one();
    let ([beta_1, beta_2], epsilon, rate) = (betas.map(number), number(epsilon), update.rate);
    let (now, next) = (momentum(beta_1, update.step), momentum(beta_1, update.step + one));
    let product = number(f64::from(product));
    let (own, ahead) = ((one - now) / (one - product), next / (one - product * next));
    let correction = one - update.power(beta_2);
    update.each(|w, g, square, [m, v]| {
        *m += (g - *m) * (one - beta_1);
        *v += (square - *v) * (one - beta_2);
        let m_hat = ahead * *m + own * g;
        *w -= m_hat * rate / ((*v / correction).sqrt() + epsilon);
    })
}
