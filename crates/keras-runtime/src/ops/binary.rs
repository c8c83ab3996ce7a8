//! Arithmetic on two tensors, element by element.

use super::{
    Connective, Function, Gradient, Operator, Out, Relation, Spec, Types, broadcast,
    broadcast_strides, inputs, rows, single, upstream,
};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::kernels::{PlainLoop, dispatch_loop};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// What is done with two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    /// For integers rounded towards 0; an integer divided by 0 is 0.
    Div,
    /// `a / b`, 0 where `b` is 0.
    DivNoNan,
    FloorDiv,
    /// The rest of `FloorDiv`, with the sign of `b`.
    Mod,
    /// The rest of the division rounded towards 0, with the sign of `a`.
    Fmod,
    Pow,
    /// NaN if one is.
    Max,
    /// NaN if one is.
    Min,
    /// The other one if one is NaN.
    Fmax,
    /// The other one if one is NaN.
    Fmin,
    SquaredDifference,
    Atan2,
    Hypot,
    LogAddExp,
    /// `a · 2^b`.
    Ldexp,
    /// The next number on the way from `a` to `b`.
    Nextafter,
    Gcd,
    Lcm,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

/// `y = f(a, b)`, element by element.
///
/// # Shapes
/// `a` and `b` to the shape both broadcast to.
///
/// # Source
/// `keras.ops.add`, `subtract`, ..., Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Binary(pub(crate) Arithmetic);

impl Operator for Binary {
    const NAME: &'static str = "arithmetic";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [a, b] = inputs(Self::NAME, x)?;
        if a.dtype != b.dtype {
            return Err(Error::op(Self::NAME, format!("{} and {} differ", a.dtype, b.dtype)));
        }
        Ok(vec![Spec::new(broadcast(Self::NAME, &a.shape, &b.shape)?, a.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([a, b], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        numbers!(a.data.dtype(), Self::NAME, T => self.run::<T>(a, b, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let ([a, c], y, dy) = (*inputs(Self::NAME, x)?, y[0], upstream(Self::NAME, dy)?);
        let [da, dc] = self.slopes(b, [a, c], y, dy)?;
        // What was repeated gets the sum.
        let mut back = |dx: Option<Value>, x: Value| {
            let shape = b.shape(x).to_vec();
            dx.map(|dx| b.sum_to(dx, &shape)).transpose()
        };
        Ok(vec![back(da, a)?, back(dc, c)?])
    }
}

impl Binary {
    /// What reaches `a` and `c` before it is summed where they were repeated.
    fn slopes(
        self,
        b: &mut Builder<'_>,
        [a, c]: [Value; 2],
        y: Value,
        dy: Value,
    ) -> Result<[Option<Value>; 2]> {
        let zero = b.scalar(0.0, b.dtype(dy))?;
        Ok(match self.0 {
            Arithmetic::Add => [Some(dy), Some(dy)],
            Arithmetic::Sub => [Some(dy), Some(b.unary(Function::Neg, dy)?)],
            Arithmetic::Mul => [Some(b.mul(dy, c)?), Some(b.mul(dy, a)?)],
            Arithmetic::Div | Arithmetic::DivNoNan => {
                let da = b.binary(self.0, dy, c)?;
                let dc = b.mul(da, y)?;
                [Some(da), Some(b.unary(Function::Neg, dc)?)]
            }
            // y = a - n · c with a whole n.
            Arithmetic::Mod | Arithmetic::Fmod => {
                let times = if self.0 == Arithmetic::Mod {
                    b.binary(Arithmetic::FloorDiv, a, c)?
                } else {
                    let times = b.div(a, c)?;
                    b.unary(Function::Trunc, times)?
                };
                let dc = b.mul(dy, times)?;
                [Some(dy), Some(b.unary(Function::Neg, dc)?)]
            }
            Arithmetic::Pow => {
                let one = b.with_number(Arithmetic::Sub, c, 1.0)?;
                let power = b.binary(Arithmetic::Pow, a, one)?;
                let da = b.mul(c, power)?;
                // The logarithm of what has one; the rest gets nothing.
                let positive = b.compare_number(Relation::Greater, a, 0.0)?;
                let one = b.scalar(1.0, b.dtype(a))?;
                let safe = b.select(positive, a, one)?;
                let log = b.unary(Function::Log, safe)?;
                let dc = b.mul(y, log)?;
                [Some(b.mul(dy, da)?), Some(b.mul(dy, dc)?)]
            }
            // Of two equal ones the first gets it.
            Arithmetic::Max | Arithmetic::Fmax | Arithmetic::Min | Arithmetic::Fmin => {
                let is_max = matches!(self.0, Arithmetic::Max | Arithmetic::Fmax);
                let how = if is_max { Relation::GreaterEqual } else { Relation::LessEqual };
                let mut first = b.compare(how, a, c)?;
                if matches!(self.0, Arithmetic::Fmax | Arithmetic::Fmin) {
                    let missing = b.compare(Relation::NotEqual, c, c)?;
                    first = b.logic(Connective::Or, first, missing)?;
                }
                [Some(b.select(first, dy, zero)?), Some(b.select(first, zero, dy)?)]
            }
            Arithmetic::SquaredDifference => {
                let apart = b.sub(a, c)?;
                let twice = b.scale(apart, 2.0)?;
                let da = b.mul(dy, twice)?;
                [Some(da), Some(b.unary(Function::Neg, da)?)]
            }
            Arithmetic::Atan2 => {
                let (aa, cc) = (b.unary(Function::Square, a)?, b.unary(Function::Square, c)?);
                let sum = b.add(aa, cc)?;
                let share = b.div(dy, sum)?;
                let dc = b.mul(share, a)?;
                [Some(b.mul(share, c)?), Some(b.unary(Function::Neg, dc)?)]
            }
            Arithmetic::Hypot => {
                let share = b.binary(Arithmetic::DivNoNan, dy, y)?;
                [Some(b.mul(share, a)?), Some(b.mul(share, c)?)]
            }
            Arithmetic::LogAddExp => {
                let mut part = |x: Value| {
                    let share = b.sub(x, y)?;
                    let share = b.unary(Function::Exp, share)?;
                    b.mul(dy, share)
                };
                [Some(part(a)?), Some(part(c)?)]
            }
            Arithmetic::Ldexp => {
                let power = b.unary(Function::Exp2, c)?;
                let dc = b.mul(dy, y)?;
                [Some(b.mul(dy, power)?), Some(b.scale(dc, std::f64::consts::LN_2)?)]
            }
            // The next number is as far away wherever one is.
            Arithmetic::Nextafter => [Some(dy), None],
            Arithmetic::FloorDiv
            | Arithmetic::Gcd
            | Arithmetic::Lcm
            | Arithmetic::And
            | Arithmetic::Or
            | Arithmetic::Xor
            | Arithmetic::ShiftLeft
            | Arithmetic::ShiftRight => [None, None],
        })
    }

    fn run<T: Kind>(&self, a: &View<'_>, b: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let shapes = (a.shape, b.shape, y.shape);
        let (a, b) = (a.of::<T>(Self::NAME)?, b.of::<T>(Self::NAME)?);
        let y = out::<T>(&mut y.data, Self::NAME)?;
        // A loop of its own for each function, so that the compiler can vectorise it.
        macro_rules! with {
            ($f:expr) => {
                zip(shapes, a, b, y, $f)
            };
        }
        match self.0 {
            Arithmetic::Add => with!(T::plus),
            Arithmetic::Sub => with!(T::minus),
            Arithmetic::Mul => with!(T::times),
            Arithmetic::Div => with!(T::divide),
            Arithmetic::DivNoNan => {
                with!(|a: T, b: T| if b == T::zero() { T::zero() } else { a.divide(b) });
            }
            Arithmetic::FloorDiv => with!(T::floor_div),
            Arithmetic::Mod => with!(T::modulo),
            Arithmetic::Fmod => {
                with!(|a: T, b: T| if b == T::zero() && !T::FLOAT { T::zero() } else { a % b });
            }
            Arithmetic::Pow => with!(T::power),
            Arithmetic::Max => {
                with!(|a: T, b: T| if a > b || a.not_a_number() { a } else { b });
            }
            Arithmetic::Min => {
                with!(|a: T, b: T| if a < b || a.not_a_number() { a } else { b });
            }
            Arithmetic::Fmax => {
                with!(|a: T, b: T| if a > b || b.not_a_number() { a } else { b });
            }
            Arithmetic::Fmin => {
                with!(|a: T, b: T| if a < b || b.not_a_number() { a } else { b });
            }
            Arithmetic::SquaredDifference => {
                with!(|a: T, b: T| a.minus(b).times(a.minus(b)));
            }
            Arithmetic::Atan2 => with!(|a: T, b: T| T::float2(a, b, f64::atan2)),
            Arithmetic::Hypot => with!(|a: T, b: T| T::float2(a, b, f64::hypot)),
            Arithmetic::LogAddExp => with!(|a: T, b: T| T::float2(a, b, |a, b| {
                let (low, high) = if a < b { (a, b) } else { (b, a) };
                if high == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
            })),
            Arithmetic::Ldexp => with!(|a: T, b: T| T::float2(a, b, |a, b| a * b.exp2())),
            Arithmetic::Nextafter => with!(T::next_after),
            Arithmetic::Gcd => with!(|a: T, b: T| T::whole2(a, b, gcd)),
            Arithmetic::Lcm => with!(|a: T, b: T| T::whole2(a, b, |a, b| match gcd(a, b) {
                0 => 0,
                n => (a / n).wrapping_mul(b).wrapping_abs(),
            })),
            Arithmetic::And => with!(|a: T, b: T| T::whole2(a, b, |a, b| a & b)),
            Arithmetic::Or => with!(|a: T, b: T| T::whole2(a, b, |a, b| a | b)),
            Arithmetic::Xor => with!(|a: T, b: T| T::whole2(a, b, |a, b| a ^ b)),
            Arithmetic::ShiftLeft => {
                with!(|a: T, b: T| T::whole2(a, b, |a, b| a.wrapping_shl(b as u32)));
            }
            Arithmetic::ShiftRight => {
                with!(|a: T, b: T| T::whole2(a, b, |a, b| a.wrapping_shr(b as u32)));
            }
        }
        Ok(())
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.wrapping_abs(), b.wrapping_abs());
    while b != 0 {
        (a, b) = (b, a.wrapping_rem(b));
    }
    a
}

/// Functions of one kind of numbers for both.
trait Kind: Number {
    const FLOAT: bool;
    fn next_after(self, to: Self) -> Self;
    fn float2(a: Self, b: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let wide = |v: Self| v.to_f64().unwrap_or(f64::NAN);
        <Self as num_traits::NumCast>::from(f(wide(a), wide(b))).unwrap_or_default()
    }
    fn whole2(a: Self, b: Self, f: impl Fn(i64, i64) -> i64) -> Self {
        let wide = |v: Self| v.to_i64().unwrap_or(0);
        <Self as num_traits::NumCast>::from(f(wide(a), wide(b))).unwrap_or_default()
    }
}

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Kind for $type {
            const FLOAT: bool = true;
            fn next_after(self, to: Self) -> Self {
                if to > self {
                    self.next_up()
                } else if to < self {
                    self.next_down()
                } else {
                    // Equal, or one is NaN.
                    self + (to - self)
                }
            }
        }
    )*};
}

floats!(f32, f64);

impl Kind for i64 {
    const FLOAT: bool = false;
    fn next_after(self, to: Self) -> Self {
        self.saturating_add((to > self).into()).saturating_sub((to < self).into())
    }
}

/// `y = f(a, b)` for every element, with both broadcast.
pub(super) fn zip<A: Copy, B: Copy, Y>(
    (a_shape, b_shape, shape): (&[usize], &[usize], &[usize]),
    a: &[A],
    b: &[B],
    y: &mut [Y],
    f: impl Fn(A, B) -> Y,
) {
    let whole = (a.len() == y.len() || a.len() == 1) && (b.len() == y.len() || b.len() == 1);
    if whole {
        dispatch_loop(Zip { a, b, y, f: &f });
        return;
    }
    let steps = [broadcast_strides(a_shape, shape), broadcast_strides(b_shape, shape)];
    let last = shape.last().copied().unwrap_or(1);
    let [a_width, b_width] =
        [&steps[0], &steps[1]].map(|s| if s.last() == Some(&0) { 1 } else { last });
    rows(shape, [&steps[0], &steps[1]], |row, [ia, ib]| {
        let (a, b) = (&a[ia..ia + a_width], &b[ib..ib + b_width]);
        dispatch_loop(Zip { a, b, y: &mut y[row..row + last], f: &f });
    });
}

/// `y = f(a, b)`; of `a` and `b` there is one for each `y`, or one for all.
struct Zip<'a, A, B, Y, F> {
    a: &'a [A],
    b: &'a [B],
    y: &'a mut [Y],
    f: &'a F,
}

impl<A: Copy, B: Copy, Y, F: Fn(A, B) -> Y> PlainLoop for Zip<'_, A, B, Y, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { a, b, y, f } = self;
        if a.len() == y.len() && b.len() == y.len() {
            y.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = f(*a, *b));
        } else if let [b] = b
            && a.len() == y.len()
        {
            y.iter_mut().zip(a).for_each(|(y, a)| *y = f(*a, *b));
        } else if let [a] = a
            && b.len() == y.len()
        {
            y.iter_mut().zip(b).for_each(|(y, b)| *y = f(*a, *b));
        } else if let ([a], [b]) = (a, b) {
            y.iter_mut().for_each(|y| *y = f(*a, *b));
        }
    }
}

#[test]
fn broadcasts() {
    let a = crate::Tensor::new([2, 1], vec![10.0_f32, 20.0]).unwrap();
    let b = crate::Tensor::new([3], vec![1.0_f32, 2.0, 3.0]).unwrap();
    let y = super::run(Binary(Arithmetic::Sub), &[a, b]).unwrap();
    assert_eq!(y.shape(), [2, 3]);
    assert_eq!(y.as_slice::<f32>().unwrap(), [9.0, 8.0, 7.0, 19.0, 18.0, 17.0]);
}

#[test]
fn gradients_are_the_slopes() {
    use Arithmetic::{
        Add, Atan2, Div, DivNoNan, Fmax, Fmin, Fmod, Hypot, Ldexp, LogAddExp, Max, Min, Mod, Mul,
        Pow, SquaredDifference, Sub,
    };
    let all = [
        Add,
        Sub,
        Mul,
        Div,
        DivNoNan,
        Mod,
        Fmod,
        Max,
        Min,
        Fmax,
        Fmin,
        SquaredDifference,
        Atan2,
        Hypot,
        LogAddExp,
        Ldexp,
    ];
    let b = super::some_numbers(&[3, 1], 4);
    for how in all {
        super::check_gradient(Binary(how), &[super::some_numbers(&[2, 1, 2], 0), b.clone()]);
    }
    // Powers of what is positive.
    let a = super::run(super::Unary(super::Function::Exp), &[super::some_numbers(&[2, 1, 2], 0)]);
    super::check_gradient(Binary(Pow), &[a.unwrap(), b]);
}
