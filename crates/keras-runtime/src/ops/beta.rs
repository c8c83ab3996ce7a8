//! Evenly spread random numbers as numbers of a beta distribution.

use super::unary::lgamma;
use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single};
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// The number below which a share of the beta distribution lies whose two parameters are the same.
///
/// # Shapes
/// Shares from 0 to 1, and the parameter without axes, above 0; to the shape of the shares.
///
/// # Source
/// `keras.random.beta(shape, alpha, alpha)`, Keras 3: the distribution, not the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beta;

impl Operator for Beta {
    const NAME: &'static str = "beta";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [share, alpha] = inputs(Self::NAME, x)?;
        if !alpha.shape.is_empty() || alpha.dtype != share.dtype {
            return Err(Error::op(Self::NAME, "takes one parameter"));
        }
        Ok(vec![share.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([share, alpha], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        floats!(share.data.dtype(), Self::NAME, T => {
            let (share, alpha) = (share.of::<T>(Self::NAME)?, alpha.of::<T>(Self::NAME)?);
            let distribution = Symmetric::of(alpha[0] as f64);
            let y = out::<T>(&mut y.data, Self::NAME)?;
            y.iter_mut().zip(share).for_each(|(y, u)| *y = distribution.quantile(*u as f64) as T);
            Ok(())
        })
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        nothing(x)
    }
}

/// The distribution with both parameters `a`.
struct Symmetric {
    a: f64,
    /// The logarithm of the beta function.
    log_beta: f64,
}

impl Symmetric {
    fn of(a: f64) -> Self {
        Self { a, log_beta: 2.0 * lgamma(a) - lgamma(2.0 * a) }
    }

    /// The share below `x`, which is at most 1/2: Lentz's way through the continued fraction.
    fn below(&self, x: f64) -> f64 {
        const TINY: f64 = 1e-300;
        let a = self.a;
        if x <= 0.0 {
            return 0.0;
        }
        let front = (a * (x.ln() + (1.0 - x).ln()) - self.log_beta).exp() / a;
        let apart = |v: f64| if v.abs() < TINY { TINY } else { v };
        let (mut c, mut d, mut fraction) = (1.0, 0.0, 1.0);
        for step in 0..400 {
            let m = f64::from(step / 2);
            let part = match step {
                0 => 1.0,
                _ if step % 2 == 0 => m * (a - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
                _ => -(a + m) * (2.0 * a + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
            };
            d = apart(1.0 + part * d).recip();
            c = apart(1.0 + part / c);
            fraction *= c * d;
            if (1.0 - c * d).abs() < 1e-15 {
                break;
            }
        }
        front * (fraction - 1.0)
    }

    fn quantile(&self, share: f64) -> f64 {
        if share > 0.5 {
            return 1.0 - self.quantile(1.0 - share);
        }
        // Halves of what is left, on a scale on which small numbers are apart.
        let (mut low, mut high) = (-750.0_f64, 0.5_f64.ln());
        for _ in 0..64 {
            let middle = 0.5 * (low + high);
            *(if self.below(middle.exp()) < share { &mut low } else { &mut high }) = middle;
        }
        high.exp()
    }
}

#[test]
fn quantiles_of_known_distributions() {
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    for share in [0.01, 0.3, 0.5, 0.77] {
        // Evenly spread; and the arcsine.
        near(Symmetric::of(1.0).quantile(share), share);
        let sine = (std::f64::consts::FRAC_PI_2 * share).sin();
        near(Symmetric::of(0.5).quantile(share), sine * sine);
        // 3x² - 2x³
        let x = Symmetric::of(2.0).quantile(share);
        near(3.0 * x * x - 2.0 * x * x * x, share);
    }
}
