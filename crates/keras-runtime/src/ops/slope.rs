//! The derivatives of the functions of one number.

use super::unary::{Function, SELU_ALPHA, SELU_SCALE, apply, c, digamma, sigmoid, trigamma, wide};
use super::{Gradient, Operator, Out, Spec, Types, inputs, no_gradient, single, upstream};
use crate::element::Real;
use crate::graph::{Builder, Value};
use crate::kernels::{PlainLoop, dispatch_loop};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// `dx = f'(x) · dy` with `y = f(x)`, element by element.
///
/// # Shapes
/// `x`, `y` and `dy` of one shape, to the same.
///
/// # Source
/// Where a function has an edge its derivative is TensorFlow's: 0 for `relu(0)` and `abs(0)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slope(pub(crate) Function);

impl Operator for Slope {
    const NAME: &'static str = "slope";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x, y, dy] = inputs(Self::NAME, x)?;
        if x != y || x != dy {
            return Err(Error::op(Self::NAME, format!("{x:?}, {y:?} and {dy:?} differ")));
        }
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x, value, dy], dx) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        floats!(x.data.dtype(), Self::NAME, T => {
            let dx = out::<T>(&mut dx.data, Self::NAME)?;
            dx.copy_from_slice(dy.of(Self::NAME)?);
            slope(&self.0, x.of(Self::NAME)?, value.of(Self::NAME)?, dx);
            Ok(())
        })
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // It is linear in `dy`; how the derivative itself changes is not known.
        if b.wanted != [false, false, true] {
            return no_gradient(Self::NAME);
        }
        let ddy = b.op(self.clone(), &[x[0], x[1], upstream(Self::NAME, dy)?])?;
        Ok(vec![None, None, Some(ddy)])
    }
}

impl Function {
    /// Whether its derivative is 0 wherever it has one.
    pub(super) fn is_flat(&self) -> bool {
        matches!(
            self,
            Self::Sign
                | Self::Floor
                | Self::Ceil
                | Self::Round
                | Self::Trunc
                | Self::IsNan
                | Self::IsInf
        )
    }
}

/// `d = f(x, y) · d`
struct Scale<'a, T, F> {
    x: &'a [T],
    y: &'a [T],
    d: &'a mut [T],
    f: F,
}

impl<T: Real, F: Fn(T, T) -> T> PlainLoop for Scale<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((x, y), d) in self.x.iter().zip(self.y).zip(self.d) {
            *d *= (self.f)(*x, *y);
        }
    }
}

/// Multiplies each `d` by `f(x, y, exp(argument(x)))`: exponentials are made many at a time.
fn with_exponential<T: Real>(
    x: &[T],
    y: &[T],
    d: &mut [T],
    argument: impl Fn(T) -> T,
    f: impl Fn(T, T, T) -> T,
) {
    const PIECE: usize = 256;
    let mut made = [T::zero(); PIECE];
    let pieces = x.chunks(PIECE).zip(y.chunks(PIECE)).zip(d.chunks_mut(PIECE));
    for ((x, y), d) in pieces {
        let made = &mut made[..x.len()];
        made.iter_mut().zip(x).for_each(|(made, x)| *made = argument(*x));
        apply(&Function::Exp, made);
        for (((x, y), e), d) in x.iter().zip(y).zip(&*made).zip(d) {
            *d *= f(*x, *y, *e);
        }
    }
}

/// Multiplies each `d` by the derivative at `x`, where the function is `y`.
pub(super) fn slope<T: Real>(function: &Function, x: &[T], y: &[T], d: &mut [T]) {
    let (zero, one, half) = (T::zero(), T::one(), c::<T>(0.5));
    // Factors rather than branches: a choice of two constants is not vectorised.
    let when = move |holds: bool| if holds { one } else { zero };
    // A loop of its own for each function, so that the compiler can vectorise it.
    macro_rules! each {
        (|$x:ident, $y:ident| $body:expr) => {
            dispatch_loop(Scale { x, y, d, f: move |$x: T, $y: T| $body })
        };
    }
    // `y / x` for the functions that are `x` times something, where it is known at 0.
    let share = move |x: T, y: T| if x == zero { half } else { y / x };
    match *function {
        Function::Neg => each!(|_x, _y| -one),
        Function::Abs => each!(|x, _y| when(x > zero) - when(x < zero)),
        Function::Sign
        | Function::Floor
        | Function::Ceil
        | Function::Round
        | Function::Trunc
        | Function::IsNan
        | Function::IsInf => each!(|_x, _y| zero),
        Function::Square => each!(|x, _y| x + x),
        Function::Sqrt => each!(|_x, y| half / y),
        Function::Rsqrt => each!(|_x, y| -half * y * y * y),
        Function::Reciprocal => each!(|_x, y| -y * y),
        Function::Exp => each!(|_x, y| y),
        Function::Exp2 => each!(|_x, y| y * c(std::f64::consts::LN_2)),
        Function::Expm1 => each!(|_x, y| y + one),
        Function::Log => each!(|x, _y| x.recip()),
        Function::Log2 => each!(|x, _y| c::<T>(std::f64::consts::LOG2_E) / x),
        Function::Log10 => each!(|x, _y| c::<T>(std::f64::consts::LOG10_E) / x),
        Function::Log1p => each!(|x, _y| (one + x).recip()),
        Function::Sin => each!(|x, _y| x.cos()),
        Function::Cos => each!(|x, _y| -x.sin()),
        Function::Tan => each!(|_x, y| one + y * y),
        Function::Asin => each!(|x, _y| (one - x * x).sqrt().recip()),
        Function::Acos => each!(|x, _y| -(one - x * x).sqrt().recip()),
        Function::Atan => each!(|x, _y| (one + x * x).recip()),
        Function::Sinh => each!(|x, _y| x.cosh()),
        Function::Cosh => each!(|x, _y| x.sinh()),
        Function::Tanh => each!(|_x, y| one - y * y),
        Function::Asinh => each!(|x, _y| (one + x * x).sqrt().recip()),
        Function::Acosh => each!(|x, _y| (x * x - one).sqrt().recip()),
        Function::Atanh => each!(|x, _y| (one - x * x).recip()),
        Function::Cbrt => each!(|_x, y| (c::<T>(3.0) * y * y).recip()),
        Function::Sinc => each!(|x, y| {
            let turned = (x * c(std::f64::consts::PI)).cos();
            if x == zero { zero } else { (turned - y) / x }
        }),
        Function::Erf => each!(|x, _y| c::<T>(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exp()),
        Function::Erfc => each!(|x, _y| -c::<T>(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exp()),
        Function::Erfinv => each!(|_x, y| (y * y).exp() / c(std::f64::consts::FRAC_2_SQRT_PI)),
        Function::BesselI0 => each!(|x, _y| wide(x, bessel_i1)),
        Function::Lgamma => each!(|x, _y| wide(x, digamma)),
        Function::Digamma => each!(|x, _y| wide(x, trigamma)),
        Function::Sigmoid => each!(|_x, y| y * (one - y)),
        Function::LogSigmoid => each!(|_x, y| one - y.exp()),
        Function::Softplus => with_exponential(x, y, d, |x| -x, |_, _, e| (one + e).recip()),
        Function::Softsign => each!(|x, _y| {
            let wide = one + x.abs();
            (wide * wide).recip()
        }),
        Function::Relu { max, slope, threshold } => {
            let (max, slope, threshold) = (c::<T>(max), c::<T>(slope), c::<T>(threshold));
            each!(|x, _y| {
                let above = when(x > threshold);
                above * when(x < max) + (one - above) * slope
            });
        }
        Function::LeakyRelu(slope) => {
            let slope = c::<T>(slope);
            each!(|x, _y| slope + when(x > zero) * (one - slope));
        }
        Function::Elu(alpha) => {
            let alpha = c::<T>(alpha);
            each!(|x, y| if x > zero { one } else { y + alpha });
        }
        Function::Celu(alpha) => {
            let alpha = c::<T>(alpha);
            each!(|x, y| if x > zero { one } else { y / alpha + one });
        }
        Function::Selu => {
            let (alpha, scale) = (c::<T>(SELU_ALPHA), c::<T>(SELU_SCALE));
            each!(|x, y| if x > zero { scale } else { y + scale * alpha });
        }
        Function::Gelu => {
            // The normal distribution's density.
            let factor = c::<T>(0.398_942_280_401_432_7);
            with_exponential(x, y, d, |x| -half * x * x, |x, y, e| share(x, y) + x * factor * e);
        }
        Function::GeluTanh => {
            let (a, b, three) = (c::<T>(0.044_715), c::<T>(0.797_884_560_802_865_4), c::<T>(3.0));
            each!(|x, y| {
                let share = share(x, y);
                // `share` is `(1 + tanh u) / 2`, and `2 share (1 - share)` half the slope of `tanh`.
                let inner = b * (one + three * a * x * x);
                share + (x + x) * share * (one - share) * inner
            });
        }
        Function::Silu => each!(|x, y| {
            let share = share(x, y);
            share + y * (one - share)
        }),
        Function::HardSigmoid => {
            let three = c::<T>(3.0);
            let sixth = c::<T>(1.0 / 6.0);
            each!(|x, _y| when(x > -three) * when(x < three) * sixth);
        }
        Function::HardSigmoidKeras2 => {
            let (slope, end) = (c::<T>(0.2), c::<T>(2.5));
            each!(|x, _y| when(x >= -end) * when(x <= end) * slope);
        }
        Function::HardSilu => {
            let (three, six) = (c::<T>(3.0), c::<T>(6.0));
            each!(|x, _y| if x <= -three {
                zero
            } else if x >= three {
                one
            } else {
                (x + x + three) / six
            });
        }
        Function::HardTanh => each!(|x, _y| when(x >= -one) * when(x <= one)),
        Function::HardShrink(limit) | Function::SoftShrink(limit) => {
            let limit = c::<T>(limit);
            each!(|x, _y| when(x.abs() > limit));
        }
        Function::TanhShrink => each!(|x, y| (x - y) * (x - y)),
        Function::Mish => each!(|x, y| {
            let tanh = if x == zero { c(0.6) } else { y / x };
            tanh + x * (one - tanh * tanh) * sigmoid(x)
        }),
        Function::Threshold(limit, _) => {
            let limit = c::<T>(limit);
            each!(|x, _y| when(x > limit));
        }
        Function::SparsePlus => each!(|x, _y| if x <= -one {
            zero
        } else if x < one {
            half * (x + one)
        } else {
            one
        }),
        Function::SparseSigmoid => each!(|x, _y| when(x > -one) * when(x < one) * half),
        Function::Squareplus(b) => {
            let b = c::<T>(b);
            each!(|x, _y| half * (one + x / (x * x + b).sqrt()));
        }
        Function::Clip(low, high) => {
            let (low, high) = (c::<T>(low), c::<T>(high));
            each!(|x, _y| when(x >= low) * when(x <= high));
        }
    }
}

/// The modified Bessel function of the first kind, order 1: the derivative of that of order 0.
fn bessel_i1(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (x / 2.0, x / 2.0, 0.0);
    while term.abs() > sum.abs() * 1e-17 && k < 1000.0 {
        k += 1.0;
        term *= quarter / (k * (k + 1.0));
        sum += term;
    }
    sum
}

#[test]
fn derivatives_are_the_slopes() {
    use Function::*;
    let near = super::some_numbers(&[31], 0);
    let far = |x: &crate::Tensor, by: f64, to: f64| {
        let moved = x.as_slice::<f64>().unwrap().iter().map(|v| v * by + to);
        crate::Tensor::new(x.shape(), moved.collect::<Vec<f64>>()).unwrap()
    };
    for function in [Sqrt, Rsqrt, Reciprocal, Log, Log2, Log10, Log1p, Acosh, Lgamma, Digamma] {
        super::check_gradient(super::Unary(function), &[far(&near, 1.0, 2.5)]);
    }
    for function in [Asin, Acos, Atanh, Erfinv, Tan] {
        super::check_gradient(super::Unary(function), &[far(&near, 0.9, 0.0)]);
    }
    let relu = Relu { max: 2.0, slope: 0.1, threshold: 0.5 };
    for function in [
        Neg,
        Abs,
        Square,
        Exp,
        Exp2,
        Expm1,
        Sin,
        Cos,
        Atan,
        Sinh,
        Cosh,
        Tanh,
        Asinh,
        Cbrt,
        Sinc,
        Erf,
        Erfc,
        BesselI0,
        Sigmoid,
        LogSigmoid,
        Softplus,
        Softsign,
        LeakyRelu(0.3),
        Elu(0.7),
        Celu(0.7),
        Selu,
        Gelu,
        GeluTanh,
        Silu,
        HardSigmoid,
        HardSigmoidKeras2,
        HardSilu,
        HardTanh,
        HardShrink(0.5),
        SoftShrink(0.5),
        TanhShrink,
        Mish,
        Threshold(0.4, -3.0),
        SparsePlus,
        SparseSigmoid,
        Squareplus(4.0),
        Clip(-1.0, 2.0),
        Function::RELU,
    ] {
        super::check_gradient(super::Unary(function), &[far(&near, 4.0, 0.0)]);
    }
    // It jumps at its threshold, between these.
    super::check_gradient(super::Unary(relu), &[far(&near, 4.0, 0.0)]);
}

/// Where there is an edge, as TensorFlow has it.
#[test]
fn edges() {
    let at = |function, x: f32| {
        let mut y = [x];
        super::unary::apply(&function, &mut y);
        let mut d = [1.0_f32];
        slope(&function, &[x], &y, &mut d);
        d[0]
    };
    assert_eq!(at(Function::RELU, 0.0), 0.0);
    assert_eq!(at(Function::Abs, 0.0), 0.0);
    assert_eq!(at(Function::Gelu, 0.0), 0.5);
    assert_eq!(at(Function::Silu, 0.0), 0.5);
    assert_eq!(at(Function::Clip(0.0, 1.0), 1.0), 1.0);
}
