//! Functions of one number, element by element.

use super::{Gradient, Operator, Out, Slope, Spec, Types, inputs, nothing, single, upstream};
use crate::element::Real;
use crate::graph::{Builder, Value};
use crate::kernels::{Smooth, map};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// A function of one number. Numbers in braces are parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    Neg,
    Abs,
    Sign,
    Square,
    Sqrt,
    Rsqrt,
    Reciprocal,
    Exp,
    Exp2,
    Expm1,
    Log,
    Log2,
    Log10,
    Log1p,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Floor,
    Ceil,
    /// To the nearest even whole number.
    Round,
    Trunc,
    Cbrt,
    Sinc,
    Erf,
    Erfc,
    Erfinv,
    /// The modified Bessel function of the first kind, order 0.
    BesselI0,
    /// The logarithm of the gamma function.
    Lgamma,
    /// Its slope.
    Digamma,
    Sigmoid,
    LogSigmoid,
    Softplus,
    Softsign,
    /// `min(x, max)` from `threshold` on, else `slope · (x - threshold)`.
    Relu {
        max: f64,
        slope: f64,
        threshold: f64,
    },
    LeakyRelu(f64),
    Elu(f64),
    Celu(f64),
    Selu,
    Gelu,
    /// The approximation of it by `tanh`.
    GeluTanh,
    Silu,
    /// `relu6(x + 3) / 6`
    HardSigmoid,
    /// `clip(0.2 x + 0.5, 0, 1)`: what it was before Keras 3.
    HardSigmoidKeras2,
    HardSilu,
    HardTanh,
    HardShrink(f64),
    SoftShrink(f64),
    TanhShrink,
    Mish,
    /// `x` over the first number, else the second.
    Threshold(f64, f64),
    SparsePlus,
    SparseSigmoid,
    Squareplus(f64),
    Clip(f64, f64),
    /// `1`, `0`
    IsNan,
    IsInf,
}

impl Function {
    /// `max(x, 0)`.
    pub(crate) const RELU: Self = Self::Relu { max: f64::INFINITY, slope: 0.0, threshold: 0.0 };

    /// The bounds that it is, if it is nothing else.
    pub(super) fn clamp(&self) -> Option<[f32; 2]> {
        match *self {
            Self::Relu { max, slope: 0.0, threshold: 0.0 } => Some([0.0, max as f32]),
            Self::Clip(low, high) => Some([low as f32, high as f32]),
            _ => None,
        }
    }

    /// Its form for vectors, if it has one.
    fn smooth(&self) -> Option<Smooth> {
        if let Some([low, high]) = self.clamp() {
            return Some(Smooth::Clamp(low, high));
        }
        Some(match *self {
            Self::LeakyRelu(slope) => Smooth::Leaky(slope as f32),
            Self::Exp => Smooth::Exp,
            Self::Tanh => Smooth::Tanh,
            Self::Sigmoid => Smooth::Sigmoid,
            Self::Silu => Smooth::Silu,
            Self::Elu(alpha) => Smooth::Elu { alpha: alpha as f32, scale: 1.0 },
            Self::Selu => Smooth::Elu { alpha: SELU_ALPHA as f32, scale: SELU_SCALE as f32 },
            Self::Erf => Smooth::Erf,
            Self::Gelu => Smooth::Gelu,
            Self::GeluTanh => Smooth::GeluTanh,
            _ => return None,
        })
    }
}

/// The constants of `selu`.
pub(super) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(super) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// `y = f(x)`, element by element.
///
/// # Shapes
/// That of `x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unary(pub(crate) Function);

impl Operator for Unary {
    const NAME: &'static str = "function";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        match x.data.dtype() {
            keras_model::DType::Float64 => {
                let y = out::<f64>(&mut y.data, Self::NAME)?;
                y.copy_from_slice(x.of(Self::NAME)?);
                apply(&self.0, y);
            }
            keras_model::DType::Float32 => {
                let y = out::<f32>(&mut y.data, Self::NAME)?;
                y.copy_from_slice(x.of(Self::NAME)?);
                apply(&self.0, y);
            }
            _ => {
                let f: fn(i64) -> i64 = match self.0 {
                    Function::Neg => i64::wrapping_neg,
                    Function::Abs => i64::wrapping_abs,
                    Function::Sign => i64::signum,
                    Function::Square => |v| v.wrapping_mul(v),
                    Function::Floor | Function::Ceil | Function::Round | Function::Trunc => |v| v,
                    _ => return Err(Error::op(Self::NAME, format!("{:?} of integers", self.0))),
                };
                let y = out::<i64>(&mut y.data, Self::NAME)?;
                for (y, x) in y.iter_mut().zip(x.of::<i64>(Self::NAME)?) {
                    *y = f(*x);
                }
            }
        }
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        if self.0.is_flat() {
            return nothing(x);
        }
        Ok(vec![Some(b.op(Slope(self.0), &[x[0], y[0], upstream(Self::NAME, dy)?])?)])
    }
}

/// A number of the type from a parameter.
pub(super) fn c<T: Real>(value: f64) -> T {
    <T as num_traits::NumCast>::from(value).unwrap_or_else(T::zero)
}

/// `log(1 + exp(x))` without overflow.
fn softplus<T: Real>(x: T) -> T {
    x.max(T::zero()) + (-x.abs()).exp().ln_1p()
}

pub(super) fn sigmoid<T: Real>(x: T) -> T {
    (T::one() + (-x).exp()).recip()
}

/// By way of `f64`.
pub(super) fn wide<T: Real>(x: T, f: impl Fn(f64) -> f64) -> T {
    c(f(x.to_f64().unwrap_or(f64::NAN)))
}

fn clamp<T: Real>(x: T, low: T, high: T) -> T {
    // NaN stays NaN.
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// Replaces each number by the function's value.
pub(crate) fn apply<T: Real>(function: &Function, y: &mut [T]) {
    if let (Some(function), Some(y)) = (function.smooth(), T::singles(y)) {
        return map(function, y);
    }
    let (zero, one) = (T::zero(), T::one());
    // A loop of its own for each function, so that the compiler can vectorise it.
    macro_rules! each {
        (|$x:ident| $body:expr) => {
            y.iter_mut().for_each(|y| {
                let $x = *y;
                *y = $body;
            })
        };
    }
    match *function {
        Function::Neg => each!(|x| -x),
        Function::Abs => each!(|x| x.abs()),
        Function::Sign => {
            each!(|x| if x > zero {
                one
            } else if x < zero {
                -one
            } else {
                x
            });
        }
        Function::Square => each!(|x| x * x),
        Function::Sqrt => each!(|x| x.sqrt()),
        Function::Rsqrt => each!(|x| x.sqrt().recip()),
        Function::Reciprocal => each!(|x| x.recip()),
        Function::Exp => each!(|x| x.exp()),
        Function::Exp2 => each!(|x| x.exp2()),
        Function::Expm1 => each!(|x| x.exp_m1()),
        Function::Log => each!(|x| x.ln()),
        Function::Log2 => each!(|x| x.log2()),
        Function::Log10 => each!(|x| x.log10()),
        Function::Log1p => each!(|x| x.ln_1p()),
        Function::Sin => each!(|x| x.sin()),
        Function::Cos => each!(|x| x.cos()),
        Function::Tan => each!(|x| x.tan()),
        Function::Asin => each!(|x| x.asin()),
        Function::Acos => each!(|x| x.acos()),
        Function::Atan => each!(|x| x.atan()),
        Function::Sinh => each!(|x| x.sinh()),
        Function::Cosh => each!(|x| x.cosh()),
        Function::Tanh => each!(|x| x.tanh()),
        Function::Asinh => each!(|x| x.asinh()),
        Function::Acosh => each!(|x| x.acosh()),
        Function::Atanh => each!(|x| x.atanh()),
        Function::Floor => each!(|x| x.floor()),
        Function::Ceil => each!(|x| x.ceil()),
        Function::Round => each!(|x| wide(x, f64::round_ties_even)),
        Function::Trunc => each!(|x| x.trunc()),
        Function::Cbrt => each!(|x| x.cbrt()),
        Function::Sinc => each!(|x| wide(x, |x| {
            let t = x * std::f64::consts::PI;
            if t == 0.0 { 1.0 } else { t.sin() / t }
        })),
        Function::Erf => each!(|x| wide(x, erf)),
        Function::Erfc => each!(|x| wide(x, |x| 1.0 - erf(x))),
        Function::Erfinv => each!(|x| wide(x, erfinv)),
        Function::BesselI0 => each!(|x| wide(x, bessel_i0)),
        Function::Lgamma => each!(|x| wide(x, lgamma)),
        Function::Digamma => each!(|x| wide(x, digamma)),
        Function::Sigmoid => each!(|x| sigmoid(x)),
        Function::LogSigmoid => each!(|x| -softplus(-x)),
        Function::Softplus => each!(|x| softplus(x)),
        Function::Softsign => each!(|x| x / (one + x.abs())),
        Function::RELU => each!(|x| if x < zero { zero } else { x }),
        Function::Relu { max, slope, threshold } => {
            let (max, slope, threshold) = (c::<T>(max), c::<T>(slope), c::<T>(threshold));
            each!(|x| {
                if x >= threshold { if x > max { max } else { x } } else { slope * (x - threshold) }
            });
        }
        Function::LeakyRelu(slope) => {
            let slope = c::<T>(slope);
            each!(|x| if x < zero { slope * x } else { x });
        }
        Function::Elu(alpha) => {
            let alpha = c::<T>(alpha);
            each!(|x| if x > zero { x } else { alpha * x.exp_m1() });
        }
        Function::Celu(alpha) => {
            let alpha = c::<T>(alpha);
            each!(|x| x.max(zero) + alpha * (x.min(zero) / alpha).exp_m1());
        }
        Function::Selu => {
            let (alpha, scale) = (c::<T>(SELU_ALPHA), c::<T>(SELU_SCALE));
            each!(|x| scale * if x > zero { x } else { alpha * x.exp_m1() });
        }
        Function::Gelu => {
            each!(|x| wide(x, |x| 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))));
        }
        Function::GeluTanh => {
            let (a, b, half) = (c::<T>(0.044_715), c::<T>(0.797_884_560_802_865_4), c::<T>(0.5));
            each!(|x| half * x * (one + (b * (x + a * x * x * x)).tanh()));
        }
        Function::Silu => each!(|x| x * sigmoid(x)),
        Function::HardSigmoid => {
            let (three, six) = (c::<T>(3.0), c::<T>(6.0));
            each!(|x| clamp(x + three, zero, six) / six);
        }
        Function::HardSigmoidKeras2 => {
            let (slope, half) = (c::<T>(0.2), c::<T>(0.5));
            each!(|x| clamp(slope * x + half, zero, one));
        }
        Function::HardSilu => {
            let (three, six) = (c::<T>(3.0), c::<T>(6.0));
            each!(|x| x * (clamp(x + three, zero, six) / six));
        }
        Function::HardTanh => each!(|x| clamp(x, -one, one)),
        Function::HardShrink(limit) => {
            let limit = c::<T>(limit);
            each!(|x| if x.abs() > limit { x } else { zero });
        }
        Function::SoftShrink(limit) => {
            let limit = c::<T>(limit);
            each!(|x| if x > limit {
                x - limit
            } else if x < -limit {
                x + limit
            } else {
                zero
            });
        }
        Function::TanhShrink => each!(|x| x - x.tanh()),
        Function::Mish => each!(|x| x * softplus(x).tanh()),
        Function::Threshold(limit, other) => {
            let (limit, other) = (c::<T>(limit), c::<T>(other));
            each!(|x| if x > limit { x } else { other });
        }
        Function::SparsePlus => {
            let quarter = c::<T>(0.25);
            each!(|x| if x <= -one {
                zero
            } else if x < one {
                quarter * (x + one) * (x + one)
            } else {
                x
            });
        }
        Function::SparseSigmoid => {
            let half = c::<T>(0.5);
            each!(|x| clamp(half * (x + one), zero, one));
        }
        Function::Squareplus(b) => {
            let (b, half) = (c::<T>(b), c::<T>(0.5));
            each!(|x| half * (x + (x * x + b).sqrt()));
        }
        Function::Clip(low, high) => {
            let (low, high) = (c::<T>(low), c::<T>(high));
            each!(|x| clamp(x, low, high));
        }
        Function::IsNan => each!(|x| if x.not_a_number() { one } else { zero }),
        Function::IsInf => each!(|x| if x.is_infinite() { one } else { zero }),
    }
}

/// The error function: its series near 0, a continued fraction farther out.
fn erf(x: f64) -> f64 {
    let z = x.abs();
    if x.is_nan() {
        return x;
    }
    if z > 6.0 {
        return x.signum();
    }
    if z < 2.5 {
        let (mut term, mut sum, mut n) = (z, z, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * z * z / (2.0 * n + 1.0);
            sum += term;
        }
        return x.signum() * sum * (-z * z).exp() * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..60).rev().fold(z, |rest, k| z + f64::from(k) * 0.5 / rest);
    let tail = (-z * z).exp() * 0.5 * std::f64::consts::FRAC_2_SQRT_PI / fraction;
    x.signum() * (1.0 - tail)
}

/// The inverse of `erf`: a first guess, then Newton's and Halley's steps.
fn erfinv(y: f64) -> f64 {
    if y.abs() >= 1.0 {
        return if y == 1.0 {
            f64::INFINITY
        } else if y == -1.0 {
            f64::NEG_INFINITY
        } else {
            f64::NAN
        };
    }
    let log = (1.0 - y * y).ln();
    let a = 2.0 / (std::f64::consts::PI * 0.147) + log / 2.0;
    let mut x = y.signum() * ((a * a - log / 0.147).sqrt() - a).max(0.0).sqrt();
    for _ in 0..4 {
        let step = (erf(x) - y) / (std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp());
        x -= step / (1.0 + x * step);
    }
    x
}

/// Stirling's series, after steps up to where it is exact; reflected below 1/2.
pub(super) fn lgamma(x: f64) -> f64 {
    use std::f64::consts::PI;
    if x <= 0.0 && x.fract() == 0.0 {
        return f64::INFINITY;
    }
    if x < 0.5 {
        return (PI / (PI * x).sin().abs()).ln() - lgamma(1.0 - x);
    }
    let (mut x, mut product) = (x, 1.0);
    while x < 20.0 {
        product *= x;
        x += 1.0;
    }
    let i = (x * x).recip();
    let series = (1.0 / 12.0 - i * (1.0 / 360.0 - i * (1.0 / 1260.0 - i / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - product.ln()
}

pub(super) fn digamma(x: f64) -> f64 {
    use std::f64::consts::PI;
    if x <= 0.0 && x.fract() == 0.0 {
        return f64::NAN;
    }
    if x < 0.5 {
        return digamma(1.0 - x) - PI / (PI * x).tan();
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 20.0 {
        sum += x.recip();
        x += 1.0;
    }
    let i = (x * x).recip();
    x.ln() - 0.5 / x - i * (1.0 / 12.0 - i * (1.0 / 120.0 - i * (1.0 / 252.0 - i / 240.0))) - sum
}

/// The slope of `digamma`.
pub(super) fn trigamma(x: f64) -> f64 {
    use std::f64::consts::PI;
    if x < 0.5 {
        return (PI / (PI * x).sin()).powi(2) - trigamma(1.0 - x);
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 20.0 {
        sum += (x * x).recip();
        x += 1.0;
    }
    let i = (x * x).recip();
    sum + (1.0 + 0.5 / x + i * (1.0 / 6.0 - i * (1.0 / 30.0 - i * (1.0 / 42.0 - i / 30.0)))) / x
}

fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 0.0);
    while term > sum * 1e-17 && k < 1000.0 {
        k += 1.0;
        term *= quarter / (k * k);
        sum += term;
    }
    sum
}

#[test]
fn known_values() {
    let f = |function, x: f64| {
        let mut y = [x];
        apply(&function, &mut y);
        y[0]
    };
    let near = |a: f64, b: f64| (a - b).abs() < 1e-14;
    assert!(near(f(Function::Erf, 0.5), 0.520_499_877_813_046_5));
    assert!(near(f(Function::Erf, -3.0), -0.999_977_909_503_001_4));
    assert!(near(f(Function::Erfinv, 0.5), 0.476_936_276_204_469_9));
    assert!(near(f(Function::Lgamma, 0.5), std::f64::consts::PI.sqrt().ln()));
    let root = std::f64::consts::PI.sqrt();
    assert!(near(f(Function::Lgamma, -1.5), (4.0 * root / 3.0).ln()));
    assert!(near(f(Function::Digamma, 1.0), -0.577_215_664_901_532_9));
    assert!(near(f(Function::Softplus, 800.0), 800.0));
    assert!(near(f(Function::HardSigmoid, 1.0), 4.0 / 6.0));
    assert!(near(f(Function::HardSigmoidKeras2, 1.0), 0.7));
    assert!(f(Function::RELU, f64::NAN).is_nan());
    assert_eq!(f(Function::Round, 2.5), 2.0);
}
