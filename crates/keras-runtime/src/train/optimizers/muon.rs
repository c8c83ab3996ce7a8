//! `Muon`. Source: `keras/src/optimizers/muon.py`, Keras 3.15.

use keras_model::compile::OptimizerKind;

use super::{Slot, Trained, Update, adam};
use crate::element::Real;
use crate::{Error, Result};

/// Steps of the iteration that a file may ask for; five are usual.
const MOST_STEPS: usize = 1000;

/// `momentum`, and `velocity` for what is left to Adam.
pub(super) fn slots(kind: &OptimizerKind, weight: Trained<'_>) -> Vec<Slot> {
    let adam = kind.is_left_to_adam(weight.path, weight.shape.len());
    let names: &[&'static str] = if adam { &["momentum", "velocity"] } else { &["momentum"] };
    names.iter().map(|name| Slot::like(name, weight, 0.0)).collect()
}

/// Steps along the nearest matrix with columns at right angles to the moving sum of the gradients,
/// found by Newton and Schulz's iteration.
pub(super) fn update<F: Real>(mut update: Update<'_, F>, kind: &OptimizerKind) -> Result<()> {
    let OptimizerKind::Muon {
        adam_beta_1,
        adam_beta_2,
        epsilon,
        adam_lr_ratio,
        muon_a,
        muon_b,
        muon_c,
        momentum,
        ns_steps,
        nesterov,
        rms_rate,
        ..
    } = kind
    else {
        return Err(Error::Value("no Muon".to_owned()));
    };
    if *ns_steps > MOST_STEPS {
        return Err(Error::Value(format!("Muon with ns_steps={ns_steps}, {MOST_STEPS} at most")));
    }
    let number = Update::<F>::number;
    if update.slots.len() == 2 {
        update.rate *= number(*adam_lr_ratio);
        return adam::update(update, [*adam_beta_1, *adam_beta_2], *epsilon, false);
    }
    let momentum_less = number(*momentum - 1.0);
    let momentum = number(*momentum);
    let [m] = update.kept()?;
    let &[rows, columns] = update.shape else {
        return Err(Error::Value("Muon takes matrices".to_owned()));
    };
    if m.len() != rows * columns || update.gradient.len() != m.len() {
        return Err(Error::Value("what is kept for a weight has another length".to_owned()));
    }
    m.iter_mut().zip(update.gradient).for_each(|(m, g)| *m += *g + *m * momentum_less);
    let along = update.gradient.iter().zip(m.iter());
    let along = along.map(|(g, m)| if *nesterov { *g + momentum * *m } else { *m }).collect();
    let factors = [*muon_a, *muon_b, *muon_c].map(number);
    let step = orthogonal(along, rows, columns, factors, *ns_steps);
    let longer = match rms_rate {
        Some(rate) => number((rows.max(columns) as f64).sqrt() * rate),
        None => F::one(),
    };
    for (w, step) in update.weight.iter_mut().zip(step) {
        *w -= update.rate * step * longer;
    }
    Ok(())
}

/// `x [n, m]` with all singular values near 1.
fn orthogonal<F: Real>(x: Vec<F>, n: usize, m: usize, [a, b, c]: [F; 3], steps: usize) -> Vec<F> {
    // The shorter side first.
    let turned = n > m;
    let (mut x, n, m) = if turned { (transposed(&x, n, m), m, n) } else { (x, n, m) };
    let length = x.iter().fold(F::zero(), |sum, x| sum + *x * *x).sqrt();
    let length = length + Update::<F>::number(1e-7);
    x.iter_mut().for_each(|x| *x /= length);
    for _ in 0..steps {
        let square = product(&x, &transposed(&x, n, m), n, m, n);
        let fourth = product(&square, &square, n, n, n);
        let both: Vec<F> = square.iter().zip(fourth).map(|(s, f)| b * *s + c * f).collect();
        let rest = product(&both, &x, n, n, m);
        x.iter_mut().zip(rest).for_each(|(x, rest)| *x = a * *x + rest);
    }
    if turned { transposed(&x, n, m) } else { x }
}

fn transposed<F: Real>(x: &[F], n: usize, m: usize) -> Vec<F> {
    (0..n * m).map(|at| x[at % n * m + at / n]).collect()
}

/// `x [n, k] · y [k, m]`.
fn product<F: Real>(x: &[F], y: &[F], n: usize, k: usize, m: usize) -> Vec<F> {
    let mut all = vec![F::zero(); n * m];
    if k == 0 || m == 0 {
        return all;
    }
    for (row, x) in all.chunks_exact_mut(m).zip(x.chunks_exact(k)) {
        for (x, y) in x.iter().zip(y.chunks_exact(m)) {
            row.iter_mut().zip(y).for_each(|(sum, y)| *sum += *x * *y);
        }
    }
    all
}
