//! Functions of vectors: `exp` and what is made of it, within a few units in the last place.

use std::f32::consts::FRAC_2_SQRT_PI;

use super::simd::{Kernel, MAGIC, MOST_LANES, Simd, dispatch};

/// A function of one number that has a form for vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Smooth {
    /// `min(max(x, low), high)`; NaN stays NaN.
    Clamp(f32, f32),
    /// `x`, or `slope · x` below 0.
    Leaky(f32),
    Exp,
    Tanh,
    Sigmoid,
    Silu,
    /// `x` over 0, else `alpha · (exp(x) - 1)`; all of it times `scale`.
    Elu {
        alpha: f32,
        scale: f32,
    },
    Erf,
    Gelu,
    GeluTanh,
}

/// Replaces each number by the function's value.
pub(crate) fn map(function: Smooth, y: &mut [f32]) {
    dispatch(Map { function, y });
}

struct Map<'a> {
    function: Smooth,
    y: &'a mut [f32],
}

impl Kernel for Map<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // A loop of its own for each function.
        macro_rules! each {
            (|$x:ident| $body:expr) => {{
                let (chunks, rest) = self.y.split_at_mut(self.y.len() / S::LANES * S::LANES);
                // SAFETY: the caller has the instruction set; chunks have `LANES` numbers, the rest
                // less.
                unsafe {
                    for chunk in chunks.chunks_exact_mut(S::LANES) {
                        let $x = S::load(chunk.as_ptr());
                        S::store(chunk.as_mut_ptr(), $body);
                    }
                    if !rest.is_empty() {
                        let $x = S::load_first(rest.as_ptr(), rest.len());
                        S::store_first(rest.as_mut_ptr(), rest.len(), $body);
                    }
                }
            }};
        }
        match self.function {
            Smooth::Clamp(low, high) => {
                each!(|x| S::min(S::splat(high), S::max(S::splat(low), x)));
            }
            Smooth::Leaky(slope) => {
                each!(|x| S::less(x, S::splat(0.0), S::mul(S::splat(slope), x), x));
            }
            Smooth::Exp => each!(|x| exp::<S>(x)),
            Smooth::Tanh => each!(|x| tanh::<S>(x)),
            Smooth::Sigmoid => each!(|x| sigmoid::<S>(x)),
            Smooth::Silu => each!(|x| S::mul(x, sigmoid::<S>(x))),
            Smooth::Elu { alpha, scale } => {
                let below = alpha * scale;
                each!(|x| S::less(
                    S::splat(0.0),
                    x,
                    S::mul(S::splat(scale), x),
                    S::mul(S::splat(below), exp_m1_below_zero::<S>(x))
                ));
            }
            Smooth::Erf => each!(|x| erf::<S>(x)),
            Smooth::Gelu => each!(|x| gelu::<S>(x)),
            Smooth::GeluTanh => each!(|x| gelu_tanh::<S>(x)),
        }
    }
}

/// Replaces each row of `n` numbers by `exp(x - largest) / Σ exp(x - largest)`, or by the `log` of that.
pub(crate) fn softmax(x: &mut [f32], n: usize, log: bool) {
    for row in x.chunks_exact_mut(n.max(1)) {
        dispatch(SoftmaxRow { row, log });
    }
}

struct SoftmaxRow<'a> {
    row: &'a mut [f32],
    log: bool,
}

impl Kernel for SoftmaxRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { row, log } = self;
        let (chunks, rest) = row.split_at_mut(row.len() / S::LANES * S::LANES);
        // SAFETY: the caller has the instruction set; chunks have `LANES` numbers, the rest less;
        // `lanes` and `tail` have as many as the widest vector.
        unsafe {
            let mut lanes = [f32::NEG_INFINITY; MOST_LANES];
            let mut largest = S::splat(f32::NEG_INFINITY);
            for chunk in chunks.chunks_exact(S::LANES) {
                largest = S::max(S::load(chunk.as_ptr()), largest);
            }
            S::store(lanes.as_mut_ptr(), largest);
            let all = lanes.iter().chain(rest.iter());
            let largest = all.fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
            let from = S::splat(largest);
            let mut sum = S::splat(0.0);
            for chunk in chunks.chunks_exact_mut(S::LANES) {
                let x = S::sub(S::load(chunk.as_ptr()), from);
                let e = exp::<S>(x);
                sum = S::add(sum, e);
                S::store(chunk.as_mut_ptr(), if log { x } else { e });
            }
            let (mut lanes, mut tail) = ([0.0_f32; MOST_LANES], [0.0_f32; MOST_LANES]);
            S::store(lanes.as_mut_ptr(), sum);
            let count = rest.len();
            if count > 0 {
                let x = S::sub(S::load_first(rest.as_ptr(), count), from);
                let e = exp::<S>(x);
                S::store_first(tail.as_mut_ptr(), count, e);
                S::store_first(rest.as_mut_ptr(), count, if log { x } else { e });
            }
            let sum: f32 = lanes.iter().chain(&tail).sum();
            if log {
                let log = sum.ln();
                row.iter_mut().for_each(|y| *y -= log);
            } else {
                let scale = sum.recip();
                row.iter_mut().for_each(|y| *y *= scale);
            }
        }
    }
}

/// `c[0] + c[1] x + c[2] x² ...`
///
/// # Safety
/// The machine must have `S`; so for all below.
#[inline(always)]
unsafe fn polynomial<S: Simd, const N: usize>(x: S::V, c: [f32; N]) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let mut y = S::splat(c[N - 1]);
        for i in (0..N - 1).rev() {
            y = S::fma(y, x, S::splat(c[i]));
        }
        y
    }
}

/// `x` as `n · log 2 + r`: `n` with [`MAGIC`] added, `n`, `exp(r) - 1`.
#[inline(always)]
unsafe fn split<S: Simd>(x: S::V) -> (S::V, S::V, S::V) {
    // SAFETY: as the caller's.
    unsafe {
        let marked = S::fma(x, S::splat(std::f32::consts::LOG2_E), S::splat(MAGIC));
        let n = S::sub(marked, S::splat(MAGIC));
        // `log 2` in two parts, the first with zeros behind, so that `n` times it is exact.
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        // The best polynomial for (exp(r) - 1 - r) / r² over half of `log 2` to both sides.
        let q = polynomial::<S, 6>(
            r,
            [0.5, 0.166_666_66, 0.041_666_36, 0.008_333_39, 0.001_394_072_1, 0.000_198_458_85],
        );
        (marked, n, S::fma(S::mul(r, r), q, r))
    }
}

/// `exp(x)`.
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        // Behind these bounds it is 0 and infinite.
        let x = S::min(S::splat(89.0), S::max(S::splat(-104.0), x));
        let (_, n, e) = split::<S>(x);
        // In two steps, as 2^n may be no ordinary number where the result is one.
        let half = S::fma(n, S::splat(0.5), S::splat(MAGIC));
        let rest = S::sub(n, S::sub(half, S::splat(MAGIC)));
        let scaled = S::mul(S::add(e, S::splat(1.0)), S::power_of_two(half));
        S::mul(scaled, S::power_of_two(S::add(rest, S::splat(MAGIC))))
    }
}

/// `exp(x) - 1` for `x ≤ 0`.
#[inline(always)]
unsafe fn exp_m1_below_zero<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let (marked, _, e) = split::<S>(S::max(S::splat(-30.0), x));
        let scale = S::power_of_two(marked);
        S::fma(scale, e, S::sub(scale, S::splat(1.0)))
    }
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let e = exp::<S>(S::sub(S::splat(0.0), x));
        S::div(S::splat(1.0), S::add(S::splat(1.0), e))
    }
}

/// `tanh |x| = -e / (e + 2)` with `e = exp(-2 |x|) - 1`.
#[inline(always)]
unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let size = S::abs(x);
        let e = exp_m1_below_zero::<S>(S::mul(S::splat(-2.0), size));
        let y = S::div(e, S::add(e, S::splat(2.0)));
        S::less(x, S::splat(0.0), y, S::sub(S::splat(0.0), y))
    }
}

#[inline(always)]
unsafe fn erf<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let far = S::sub(S::splat(1.0), erfc_tail::<S>(S::abs(x)));
        let far = S::less(x, S::splat(0.0), S::sub(S::splat(0.0), far), far);
        S::less(S::abs(x), S::splat(0.5), erf_near_zero::<S>(x), far)
    }
}

/// `1 - erf(x)`, with all its digits where it is small.
#[inline(always)]
unsafe fn erfc<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        let near = S::sub(one, erf_near_zero::<S>(x));
        let tail = erfc_tail::<S>(S::abs(x));
        let far = S::less(x, zero, S::sub(S::splat(2.0), tail), tail);
        S::less(S::abs(x), S::splat(0.5), near, far)
    }
}

/// `erf(x)` for `|x| ≤ 0.5`.
#[inline(always)]
unsafe fn erf_near_zero<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let p = polynomial::<S, 5>(
            S::mul(x, x),
            [FRAC_2_SQRT_PI, -0.376_126_08, 0.112_828_23, -0.026_757_205, 0.004_718_027],
        );
        S::mul(x, p)
    }
}

/// `1 - erf(x)` for `x ≥ 0.4`: `exp(-x²)` times a polynomial of `1 / (1 + 0.4 x)`.
#[inline(always)]
unsafe fn erfc_tail<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let x = S::min(S::splat(11.0), x);
        let s = S::div(S::splat(1.0), S::fma(S::splat(0.4), x, S::splat(1.0)));
        let p = polynomial::<S, 9>(
            s,
            [
                0.225_674_94,
                0.225_652_68,
                0.208_328,
                0.164_613_23,
                0.157_000_08,
                -0.039_785_627,
                0.211_422_64,
                -0.210_597_54,
                0.057_699_725,
            ],
        );
        // The square and what it was rounded by.
        let minus = S::sub(S::splat(0.0), x);
        let square = S::mul(x, minus);
        let rounded = S::fma(x, minus, S::sub(S::splat(0.0), square));
        let e = exp::<S>(square);
        S::mul(S::mul(s, p), S::fma(e, rounded, e))
    }
}

/// `x / 2 · (1 + erf(x / √2))`.
#[inline(always)]
unsafe fn gelu<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let part = erfc::<S>(S::mul(S::splat(-std::f32::consts::FRAC_1_SQRT_2), x));
        S::mul(S::mul(S::splat(0.5), x), part)
    }
}

/// `x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 x³)))`.
#[inline(always)]
unsafe fn gelu_tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        let inner = S::fma(S::mul(S::splat(0.044_715), S::mul(x, x)), x, x);
        let t = tanh::<S>(S::mul(S::splat(0.797_884_6), inner));
        S::mul(S::mul(S::splat(0.5), x), S::add(S::splat(1.0), t))
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Isa, dispatch_on};
    use super::*;

    /// Units in the last place between `y` and `exact`.
    fn distance(y: f32, exact: f64) -> f64 {
        let near = exact as f32;
        if y == near || (y.is_nan() && near.is_nan()) {
            return 0.0;
        }
        let size = f64::from(near.abs().max(f32::MIN_POSITIVE));
        (f64::from(y) - exact).abs() / (2.0_f64.powi(size.log2().floor() as i32 - 23))
    }

    fn check(function: Smooth, range: f32, most: f64, exact: impl Fn(f64) -> f64) {
        let x: Vec<f32> = (-40_001..=40_001).map(|i| i as f32 / 40_001.0 * range).collect();
        for isa in Isa::all() {
            let mut y = x.clone();
            dispatch_on(isa, Map { function, y: &mut y });
            for (x, y) in x.iter().zip(&y) {
                let exact = exact(f64::from(*x));
                let distance = distance(*y, exact);
                assert!(
                    distance <= most,
                    "{function:?}({x}) on {isa:?}: {y}, not {exact}: {distance}"
                );
            }
        }
    }

    #[test]
    fn functions_are_within_a_few_units_in_the_last_place() {
        check(Smooth::Exp, 100.0, 2.0, f64::exp);
        check(Smooth::Exp, 1.0, 2.0, f64::exp);
        check(Smooth::Tanh, 12.0, 3.0, f64::tanh);
        check(Smooth::Tanh, 0.1, 3.0, f64::tanh);
        check(Smooth::Sigmoid, 80.0, 4.0, |x| 1.0 / (1.0 + (-x).exp()));
        check(Smooth::Silu, 80.0, 4.0, |x| x / (1.0 + (-x).exp()));
        check(Smooth::Elu { alpha: 1.0, scale: 1.0 }, 20.0, 3.0, |x| {
            if x > 0.0 { x } else { x.exp_m1() }
        });
        check(Smooth::Clamp(0.0, 6.0), 10.0, 0.0, |x| x.clamp(0.0, 6.0));
        check(Smooth::Leaky(0.25), 10.0, 0.0, |x| if x < 0.0 { 0.25 * x } else { x });
    }

    #[test]
    fn rows_of_a_softmax_are_shares() {
        for isa in Isa::all() {
            for n in [1, 5, 16, 37] {
                let x: Vec<f32> = (0..n).map(|i| (i * 37 % 17) as f32 - 8.0).collect();
                let sum: f64 = x.iter().map(|x| f64::from(*x).exp()).sum();
                let (mut y, mut logs) = (x.clone(), x.clone());
                dispatch_on(isa, SoftmaxRow { row: &mut y, log: false });
                dispatch_on(isa, SoftmaxRow { row: &mut logs, log: true });
                for ((x, y), log) in x.iter().zip(&y).zip(&logs) {
                    let exact = f64::from(*x).exp() / sum;
                    assert!((f64::from(*y) - exact).abs() <= 1e-6 * exact, "{isa:?} {n}");
                    assert!((f64::from(*log) - exact.ln()).abs() <= 2e-6, "{isa:?} {n}");
                }
            }
        }
    }

    #[test]
    fn ends_of_the_line() {
        let inf = f32::INFINITY;
        for isa in Isa::all() {
            let f = |function, x: f32| {
                let mut y = [x; 3];
                dispatch_on(isa, Map { function, y: &mut y });
                y[2]
            };
            assert_eq!((f(Smooth::Exp, -inf), f(Smooth::Exp, inf)), (0.0, inf));
            assert_eq!((f(Smooth::Tanh, -inf), f(Smooth::Tanh, inf)), (-1.0, 1.0));
            assert_eq!((f(Smooth::Sigmoid, -inf), f(Smooth::Sigmoid, inf)), (0.0, 1.0));
            assert_eq!((f(Smooth::Erf, -inf), f(Smooth::Erf, inf)), (-1.0, 1.0));
            assert_eq!(f(Smooth::Gelu, inf), inf);
            for function in [
                Smooth::Exp,
                Smooth::Tanh,
                Smooth::Sigmoid,
                Smooth::Erf,
                Smooth::Gelu,
                Smooth::Clamp(0.0, 1.0),
                Smooth::Leaky(0.5),
            ] {
                assert!(f(function, f32::NAN).is_nan(), "{function:?} on {isa:?}");
            }
        }
    }
}
