//! `Adafactor`. Source: `keras/src/optimizers/adafactor.py`, Keras 3.15.

use super::{Slot, Trained, Update};
use crate::element::Real;
use crate::{Error, Result};

/// `r` and `c`, the means of the squares along the last and the last but one axis, and `v`. A weight
/// with fewer axes has numbers in their place that nothing uses.
pub(super) fn slots(weight: Trained<'_>) -> Vec<Slot> {
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    if let [outer @ .., n, m] = weight.shape {
        rows = [outer, &[*n]].concat();
        columns = [outer, &[*m]].concat();
    }
    let start = 0.0;
    vec![
        Slot { name: "r", shape: rows, start },
        Slot { name: "c", shape: columns, start },
        Slot::like("v", weight, start),
    ]
}

/// The gradient divided by the root of its mean square, which is kept as a product of rows and
/// columns; the step is as long as the weight, and no longer than the threshold says.
pub(super) fn update<F: Real>(
    mut update: Update<'_, F>,
    beta_2_decay: f64,
    [epsilon_1, epsilon_2]: [f64; 2],
    clip_threshold: f64,
    relative: bool,
) -> Result<()> {
    let number = Update::<F>::number;
    let (one, epsilon_1) = (F::one(), number(epsilon_1));
    let mean = |sum: F, n: usize| sum / number(n as f64);
    let root_mean_square =
        |all: &[F]| mean(all.iter().fold(F::zero(), |sum, x| sum + *x * *x), all.len()).sqrt();
    let most = one / update.step.sqrt();
    let rate = if relative { update.rate.min(most) } else { update.rate };
    let alpha = number(epsilon_2).max(root_mean_square(update.weight)) * rate.min(most);
    let beta = one - update.step.powf(number(beta_2_decay));
    let [r, c, v] = update.kept()?;
    let own = update.squares();
    let squares: Vec<F> = own.iter().map(|square| *square + epsilon_1).collect();
    if v.len() != squares.len() || update.weight.len() != squares.len() {
        return Err(Error::Value("what is kept for a weight has another length".to_owned()));
    }
    let moved = |old: &mut F, new: F| *old = beta * *old + (one - beta) * new;
    match *update.shape {
        [.., n, m] if n * m > 0 => {
            let matrices = squares.chunks_exact(n * m).zip(v.chunks_exact_mut(n * m));
            for (i, (squares, v)) in matrices.enumerate() {
                let (r, c) = (&mut r[i * n..(i + 1) * n], &mut c[i * m..(i + 1) * m]);
                for (r, row) in r.iter_mut().zip(squares.chunks_exact(m)) {
                    moved(r, mean(row.iter().fold(F::zero(), |sum, x| sum + *x), m));
                }
                for (j, c) in c.iter_mut().enumerate() {
                    let column = squares.iter().skip(j).step_by(m);
                    moved(c, mean(column.fold(F::zero(), |sum, x| sum + *x), n));
                }
                let middle = mean(r.iter().fold(F::zero(), |sum, x| sum + *x), n);
                for (row, r) in v.chunks_exact_mut(m).zip(r.iter()) {
                    row.iter_mut().zip(c.iter()).for_each(|(v, c)| *v = *r / middle * *c);
                }
            }
        }
        _ => v.iter_mut().zip(&squares).for_each(|(v, square)| moved(v, *square)),
    }
    let steps = own.iter().zip(v.iter()).fold(F::zero(), |sum, (square, v)| sum + *square / *v);
    let shorter = one.max(mean(steps, own.len()).sqrt() / number(clip_threshold));
    for ((w, g), v) in update.weight.iter_mut().zip(update.gradient).zip(v) {
        *w -= alpha * (*g / v.sqrt() / shorter);
    }
    Ok(())
}
