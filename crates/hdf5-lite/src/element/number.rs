//! Numbers as the caller's types.

use half::{bf16, f16};

use super::float::float_value;
use crate::error::{Error, Result};
use crate::message::{ByteOrder, Datatype, FixedPoint, FloatingPoint, Normalization};

/// Types that numbers in a file can be read as.
///
/// Integers are exact or an error. Floats are rounded to the nearest value; a finite number
/// that would become infinite is an error. A float becomes an integer if it is one.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// fn mean<T: hdf5_lite::Element + Into<f64>>(dataset: &hdf5_lite::Dataset) -> hdf5_lite::Result<f64> {
///     let values = dataset.read::<T>()?;
///     Ok(values.iter().map(|v| (*v).into()).sum::<f64>() / values.len() as f64)
/// }
/// assert_eq!(mean::<i16>(&file.dataset("counts")?)?, 2.0);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
pub trait Element: bytemuck::Pod + Send + Sync + private::Sealed {
    #[doc(hidden)]
    const NAME: &'static str;

    /// Whether a value in memory and an element of this type in a file are the same bytes.
    #[doc(hidden)]
    fn is_stored_as(datatype: &Datatype) -> bool;

    /// The datatype of which such values are elements.
    #[doc(hidden)]
    fn datatype() -> Datatype;

    #[doc(hidden)]
    fn of_signed(value: i128) -> Option<Self>;

    #[doc(hidden)]
    fn of_unsigned(value: u128) -> Option<Self>;

    #[doc(hidden)]
    fn of_float(value: f64) -> Option<Self>;
}

mod private {
    pub trait Sealed {}
}

macro_rules! integers {
    ($($type:ident $signed:literal),*) => { $(
        impl private::Sealed for $type {}

        impl Element for $type {
            const NAME: &'static str = stringify!($type);

            fn is_stored_as(datatype: &Datatype) -> bool {
                let datatype = match datatype {
                    Datatype::Enum(t) => &t.base,
                    other => other,
                };
                let whole = |size: u32, order, offset: u16, precision: u16| {
                    usize::try_from(size) == Ok(size_of::<Self>())
                        && (order == ByteOrder::NATIVE || size == 1)
                        && offset == 0
                        && u32::from(precision) == size * 8
                };
                match datatype {
                    Datatype::FixedPoint(t) => {
                        t.signed == $signed && whole(t.size, t.order, t.offset, t.precision)
                    }
                    Datatype::BitField(t) => {
                        !$signed && whole(t.size, t.order, t.offset, t.precision)
                    }
                    _ => false,
                }
            }

            fn datatype() -> Datatype {
                Datatype::FixedPoint(FixedPoint {
                    size: Self::BITS / 8,
                    order: ByteOrder::NATIVE,
                    signed: $signed,
                    offset: 0,
                    precision: u16::try_from(Self::BITS).unwrap_or(0),
                })
            }

            fn of_signed(value: i128) -> Option<Self> {
                value.try_into().ok()
            }

            fn of_unsigned(value: u128) -> Option<Self> {
                value.try_into().ok()
            }

            fn of_float(value: f64) -> Option<Self> {
                match whole(value)? {
                    Number::Signed(value) => value.try_into().ok(),
                    Number::Unsigned(value) => value.try_into().ok(),
                    Number::Float(_) => None,
                }
            }
        }
    )* };
}

integers!(u8 false, u16 false, u32 false, u64 false, u128 false, i8 true, i16 true, i32 true, i64 true, i128 true);

macro_rules! floats {
    ($($type:ident ($size:literal, $exponent_size:literal, $mantissa_size:literal, $bias:literal) $from:expr),*) => { $(
        impl private::Sealed for $type {}

        impl Element for $type {
            const NAME: &'static str = stringify!($type);

            fn is_stored_as(datatype: &Datatype) -> bool {
                *datatype == Self::datatype()
            }

            fn datatype() -> Datatype {
                Datatype::FloatingPoint(FloatingPoint {
                    size: $size,
                    order: ByteOrder::NATIVE,
                    offset: 0,
                    precision: $size * 8,
                    sign: $size * 8 - 1,
                    exponent: $mantissa_size,
                    exponent_size: $exponent_size,
                    mantissa: 0,
                    mantissa_size: $mantissa_size,
                    bias: $bias,
                    normalization: Normalization::Implied,
                })
            }

            fn of_signed(value: i128) -> Option<Self> {
                #[expect(clippy::cast_precision_loss, reason = "floats are rounded")]
                Self::of_float(value as f64)
            }

            fn of_unsigned(value: u128) -> Option<Self> {
                #[expect(clippy::cast_precision_loss, reason = "floats are rounded")]
                Self::of_float(value as f64)
            }

            fn of_float(value: f64) -> Option<Self> {
                let rounded = $from(value);
                (rounded.is_finite() || !value.is_finite()).then_some(rounded)
            }
        }
    )* };
}

#[expect(clippy::cast_possible_truncation, reason = "rounds, and infinities are found")]
fn to_f32(value: f64) -> f32 {
    value as f32
}

floats! {
    f16(2, 5, 10, 15) f16::from_f64,
    bf16(2, 8, 7, 127) bf16::from_f64,
    f32(4, 8, 23, 127) to_f32,
    f64(8, 11, 52, 1023) std::convert::identity
}

/// A float that is an integer, as one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
fn whole(value: f64) -> Option<Number> {
    let limit = 2_f64.powi(127);
    #[expect(clippy::float_cmp, reason = "integers have to be exact")]
    let exact = value.trunc() == value;
    if !exact || value < -limit || value >= 2.0 * limit {
        None
    } else if value < limit {
        Some(Number::Signed(value as i128))
    } else {
        Some(Number::Unsigned(value as u128))
    }
}

/// A number of any type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Signed(i128),
    Unsigned(u128),
    Float(f64),
}

impl Number {
    /// Whether both are the same integer.
    pub(super) fn is_equal(self, other: Self) -> bool {
        let integer = |number| match number {
            Self::Signed(value) => Some((value < 0, value.cast_unsigned())),
            Self::Unsigned(value) => Some((false, value)),
            Self::Float(value) => match whole(value)? {
                Self::Signed(value) => Some((value < 0, value.cast_unsigned())),
                Self::Unsigned(value) => Some((false, value)),
                Self::Float(_) => None,
            },
        };
        integer(self).is_some_and(|value| Some(value) == integer(other))
    }

    fn to<T: Element>(self) -> Result<T> {
        let value = match self {
            Self::Signed(value) => T::of_signed(value),
            Self::Unsigned(value) => T::of_unsigned(value),
            Self::Float(value) => T::of_float(value),
        };
        value.ok_or_else(|| {
            let value = match self {
                Self::Signed(value) => value.to_string(),
                Self::Unsigned(value) => value.to_string(),
                Self::Float(value) => value.to_string(),
            };
            Error::OutOfRange { value, wanted: T::NAME }
        })
    }
}

/// What the numbers in a datatype are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NumberType {
    Integer(FixedPoint),
    Float(FloatingPoint),
}

impl NumberType {
    /// The type of the numbers that an element consists of, and nothing else.
    pub(crate) fn of(datatype: &Datatype) -> Option<Self> {
        Some(match datatype {
            Datatype::FixedPoint(t) => Self::Integer(*t),
            Datatype::BitField(t) => Self::Integer(FixedPoint {
                size: t.size,
                order: t.order,
                signed: false,
                offset: t.offset,
                precision: t.precision,
            }),
            Datatype::FloatingPoint(t) => Self::Float(*t),
            Datatype::Enum(t) => return Self::of(&t.base),
            Datatype::Array(t) => return Self::of(&t.base),
            Datatype::Complex(t) => return Self::of(&t.base),
            _ => return None,
        })
    }

    pub(super) fn size(&self) -> usize {
        let size = match self {
            Self::Integer(t) => t.size,
            Self::Float(t) => t.size,
        };
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// The value of one number.
    pub(crate) fn value(&self, bytes: &[u8]) -> Result<Number> {
        match self {
            Self::Integer(t) => int_value(t, bytes),
            Self::Float(t) => float_value(t, bytes).map(Number::Float).ok_or(Error::Unsupported {
                structure: "Datatype",
                field: "floating-point size",
                found: t.size.into(),
            }),
        }
    }
}

/// The value of an integer of any size, as long as it fits 128 bits.
pub(crate) fn int_value(layout: &FixedPoint, bytes: &[u8]) -> Result<Number> {
    let order = layout.order;
    let byte = |n: usize| match order {
        ByteOrder::BigEndian => bytes.len().checked_sub(n + 1).and_then(|n| bytes.get(n)),
        _ => bytes.get(n),
    };
    let bit = |n: usize| byte(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 != 0);
    let (offset, precision) = (usize::from(layout.offset), usize::from(layout.precision));
    let negative = layout.signed && bit(offset + precision - 1);
    // Bits beyond 128 must all repeat the sign.
    if (128..precision).any(|n| bit(offset + n) != negative) {
        return Err(Error::OutOfRange {
            value: format!("an integer of {precision} bits"),
            wanted: "128 bits",
        });
    }
    let mut low = [0; 16];
    let (whole, shift) = (offset / 8, offset % 8);
    for (n, to) in low.iter_mut().enumerate() {
        let first = byte(whole + n).map_or(0, |byte| u16::from(*byte));
        let second = byte(whole + n + 1).map_or(0, |byte| u16::from(*byte));
        let [value, _] = ((second << 8 | first) >> shift).to_le_bytes();
        *to = value;
    }
    let bits = u128::from_le_bytes(low);
    let unused = u32::try_from(128_usize.saturating_sub(precision)).unwrap_or(0);
    if layout.signed {
        let value = (bits << unused).cast_signed() >> unused;
        if precision > 128 && (value < 0) != negative {
            return Err(Error::OutOfRange { value: "an integer".into(), wanted: "128 bits" });
        }
        Ok(Number::Signed(value))
    } else {
        Ok(Number::Unsigned(bits << unused >> unused))
    }
}

/// Whether elements of that type are one or more `T`, in the byte order of this machine.
pub(crate) fn is_made_of<T: Element>(datatype: &Datatype) -> bool {
    match datatype {
        Datatype::Array(t) => is_made_of::<T>(&t.base),
        Datatype::Complex(t) => T::is_stored_as(&t.base),
        other => T::is_stored_as(other),
    }
}

/// `data` as it is, if it can be a slice of `T`: same type, byte order, and aligned.
pub(crate) fn view<'d, T: Element>(datatype: &Datatype, data: &'d [u8]) -> Option<&'d [T]> {
    if !is_made_of::<T>(datatype) {
        return None;
    }
    bytemuck::try_cast_slice(data).ok()
}

/// Appends `values`, in pieces that stay in the cache: the system zeroes each fresh page just
/// before it is written, and one copy of everything would write around the cache.
pub(crate) fn append<T: Copy>(values: &[T], to: &mut Vec<T>) {
    const PIECE: usize = 1 << 16;
    for piece in values.chunks((PIECE / size_of::<T>().max(1)).max(1)) {
        to.extend_from_slice(piece);
    }
}

/// All numbers in `data`, the elements of arrays and the parts of complex numbers one by one.
pub(crate) fn numbers<T: Element>(
    datatype: &Datatype,
    data: &[u8],
    place: impl FnOnce() -> String,
) -> Result<Vec<T>> {
    if let Some(values) = view(datatype, data) {
        let mut copied = Vec::with_capacity(values.len());
        append(values, &mut copied);
        return Ok(copied);
    }
    let Some(numbers) = NumberType::of(datatype) else {
        let found = format!("of {} type", datatype.class());
        return Err(Error::WrongType { place: place(), wanted: T::NAME, found });
    };
    if let Some(values) = plain(&numbers, data) {
        return values;
    }
    data.chunks_exact(numbers.size()).map(|bytes| numbers.value(bytes)?.to()).collect()
}

/// The common types, by loops that the compiler can unroll.
fn plain<T: Element>(numbers: &NumberType, data: &[u8]) -> Option<Result<Vec<T>>> {
    macro_rules! each {
        ($type:ty, $big:expr, $number:expr) => {{
            let number = $number;
            let convert = |bytes: &[u8; size_of::<$type>()]| {
                let value = if $big {
                    <$type>::from_be_bytes(*bytes)
                } else {
                    <$type>::from_le_bytes(*bytes)
                };
                number(value).to()
            };
            let (elements, _) = data.as_chunks();
            Some(elements.iter().map(convert).collect())
        }};
    }
    match numbers {
        NumberType::Integer(t) => {
            if t.offset != 0 || u32::from(t.precision) != t.size * 8 {
                return None;
            }
            let big = t.order == ByteOrder::BigEndian;
            match (t.size, t.signed) {
                (1, false) => each!(u8, big, |v: u8| Number::Unsigned(v.into())),
                (2, false) => each!(u16, big, |v: u16| Number::Unsigned(v.into())),
                (4, false) => each!(u32, big, |v: u32| Number::Unsigned(v.into())),
                (8, false) => each!(u64, big, |v: u64| Number::Unsigned(v.into())),
                (1, true) => each!(i8, big, |v: i8| Number::Signed(v.into())),
                (2, true) => each!(i16, big, |v: i16| Number::Signed(v.into())),
                (4, true) => each!(i32, big, |v: i32| Number::Signed(v.into())),
                (8, true) => each!(i64, big, |v: i64| Number::Signed(v.into())),
                _ => None,
            }
        }
        NumberType::Float(t) if t.is_ieee() => {
            let big = t.order == ByteOrder::BigEndian;
            match t.size {
                2 => each!(f16, big, |v: f16| Number::Float(v.into())),
                4 => each!(f32, big, |v: f32| Number::Float(v.into())),
                _ => each!(f64, big, Number::Float),
            }
        }
        NumberType::Float(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(size: u32, signed: bool, offset: u16, precision: u16) -> FixedPoint {
        FixedPoint { size, order: ByteOrder::LittleEndian, signed, offset, precision }
    }

    #[test]
    fn integers_of_any_size_and_precision() {
        assert_eq!(int_value(&int(2, true, 3, 5), &[0xf8, 0]).unwrap(), Number::Signed(-1));
        assert_eq!(int_value(&int(2, false, 3, 5), &[0xf8, 0]).unwrap(), Number::Unsigned(31));
        assert_eq!(int_value(&int(16, true, 0, 128), &[0xff; 16]).unwrap(), Number::Signed(-1));
        let mut wide = [0xff; 32];
        assert_eq!(int_value(&int(32, true, 0, 256), &wide).unwrap(), Number::Signed(-1));
        wide[31] = 0x7f;
        assert!(int_value(&int(32, true, 0, 256), &wide).is_err());
    }

    #[test]
    fn conversions_are_exact_or_an_error() {
        assert_eq!(u8::of_signed(-1), None);
        assert_eq!(i8::of_float(1.5), None);
        assert_eq!(i64::of_float(9.223_372_036_854_776e18), None);
        assert_eq!(i32::of_float(-2_147_483_648.0), Some(i32::MIN));
        assert_eq!(i32::of_float(2_147_483_647.0), Some(i32::MAX));
        assert_eq!(f32::of_float(1e300), None);
        assert_eq!(f32::of_float(f64::INFINITY), Some(f32::INFINITY));
    }
}
