//! Number types in which operations compute. Every other type is cast to one of them and back:
//! `float16` and `bfloat16` to `f32` (rounded after each operation, as Keras does), integers to
//! `i64`.

use num_traits::{NumCast, ToPrimitive};

use crate::tensor::Element;

/// A type in which operations compute.
pub(crate) trait Number:
    Element + Copy + PartialOrd + NumCast + ToPrimitive + num_traits::NumAssign + Default
{
    /// The smallest value, or minus infinity.
    const LOWEST: Self;
    /// The largest value, or infinity.
    const HIGHEST: Self;
    /// Order with NaN last, as NumPy sorts.
    fn order(self, other: Self) -> std::cmp::Ordering;
    /// Whether it is not a number.
    fn not_a_number(self) -> bool;
    /// `self` to the power of `other`.
    fn power(self, other: Self) -> Self;
    /// The largest whole number below the quotient; 0 for an integer divided by 0.
    fn floor_div(self, other: Self) -> Self;
    /// The rest of that, with the sign of `other`.
    fn modulo(self, other: Self) -> Self;
    /// The quotient; 0 for an integer divided by 0.
    fn divide(self, other: Self) -> Self;
    /// The sum, wrapped around.
    fn plus(self, other: Self) -> Self;
    /// The difference, wrapped around.
    fn minus(self, other: Self) -> Self;
    /// The product, wrapped around.
    fn times(self, other: Self) -> Self;
}

macro_rules! floats {
    ($($t:ty),*) => {$(
        impl Number for $t {
            const LOWEST: Self = <$t>::NEG_INFINITY;
            const HIGHEST: Self = <$t>::INFINITY;
            fn order(self, other: Self) -> std::cmp::Ordering {
                self.partial_cmp(&other).unwrap_or_else(|| <$t>::is_nan(self).cmp(&<$t>::is_nan(other)))
            }
            fn not_a_number(self) -> bool { <$t>::is_nan(self) }
            fn power(self, other: Self) -> Self { self.powf(other) }
            fn floor_div(self, other: Self) -> Self { (self / other).floor() }
            fn modulo(self, other: Self) -> Self {
                let rest = self % other;
                if rest != 0.0 && (rest < 0.0) != (other < 0.0) { rest + other } else { rest }
            }
            fn divide(self, other: Self) -> Self { self / other }
            #[inline(always)]
            fn plus(self, other: Self) -> Self { self + other }
            #[inline(always)]
            fn minus(self, other: Self) -> Self { self - other }
            #[inline(always)]
            fn times(self, other: Self) -> Self { self * other }
        }
    )*};
}

floats!(f32, f64);

/// A floating-point type in which operations compute.
pub(crate) trait Real: Number + num_traits::Float {
    /// The numbers themselves, if they are `f32`: the loops over vectors take these.
    fn singles(_numbers: &mut [Self]) -> Option<&mut [f32]> {
        None
    }
}

impl Real for f32 {
    fn singles(numbers: &mut [f32]) -> Option<&mut [f32]> {
        Some(numbers)
    }
}

impl Real for f64 {}

impl Number for i64 {
    const LOWEST: Self = i64::MIN;
    const HIGHEST: Self = i64::MAX;
    fn order(self, other: Self) -> std::cmp::Ordering {
        self.cmp(&other)
    }
    fn not_a_number(self) -> bool {
        false
    }
    fn power(self, other: Self) -> Self {
        u32::try_from(other).map_or(0, |exponent| self.wrapping_pow(exponent))
    }
    fn floor_div(self, other: Self) -> Self {
        match self.checked_div_euclid(other) {
            Some(q) if other < 0 && self.rem_euclid(other) != 0 => q.wrapping_sub(1),
            Some(q) => q,
            None => 0,
        }
    }
    fn modulo(self, other: Self) -> Self {
        self.wrapping_sub(self.floor_div(other).wrapping_mul(other))
    }
    fn divide(self, other: Self) -> Self {
        self.checked_div(other).unwrap_or(0)
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }
}

#[test]
fn integer_division_rounds_down() {
    assert_eq!((-7_i64).floor_div(2), -4);
    assert_eq!(7_i64.floor_div(-2), -4);
    assert_eq!((-7_i64).floor_div(-2), 3);
    assert_eq!((-7_i64).modulo(2), 1);
    assert_eq!(7_i64.modulo(-2), -1);
    assert_eq!(7_i64.floor_div(0), 0);
}
