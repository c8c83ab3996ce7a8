//! Classes 0, 1, 2, 4 and 11: numbers and bits (IV.A.2.d).

use nom::Parser;
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::{Datatype, Head};
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Parsed, field, malformed, unsupported};

/// Order of the bytes of a number.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::ByteOrder;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("counts")?;
/// let Datatype::FixedPoint(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.order, ByteOrder::LittleEndian);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    LittleEndian,
    /// Most significant byte first.
    BigEndian,
    /// Pairs of bytes, most significant pair first, each pair little-endian.
    Vax,
}

impl ByteOrder {
    /// The order of the machine this runs on.
    ///
    /// ```
    /// let little = hdf5_lite::ByteOrder::NATIVE == hdf5_lite::ByteOrder::LittleEndian;
    /// assert_eq!(little, cfg!(target_endian = "little"));
    /// ```
    pub const NATIVE: Self =
        if cfg!(target_endian = "big") { Self::BigEndian } else { Self::LittleEndian };

    fn of(head: Head) -> Self {
        if head.bit(0) { Self::BigEndian } else { Self::LittleEndian }
    }

    fn to_bits(self) -> u32 {
        match self {
            Self::LittleEndian => 0,
            Self::BigEndian => 1,
            Self::Vax => 0x41,
        }
    }
}

/// An integer; its bits may be fewer than those of its bytes.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("counts")?;
/// let Datatype::FixedPoint(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!((datatype.size, datatype.signed, datatype.precision), (2, true, 16));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPoint {
    /// Bytes.
    pub size: u32,
    /// Order of the bytes.
    pub order: ByteOrder,
    /// Whether it is in two's complement.
    pub signed: bool,
    /// Position of the lowest bit in use.
    pub offset: u16,
    /// Number of bits in use.
    pub precision: u16,
}

impl FixedPoint {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let (i, (offset, precision)) = bits(i, head)?;
        let order = ByteOrder::of(head);
        Ok((i, Self { size: head.size, order, signed: head.bit(3), offset, precision }))
    }

    pub(super) fn write(self, out: &mut Out) {
        let bits = self.order.to_bits() | u32::from(self.signed) << 3;
        Head { version: 1, bits, size: self.size, depth: 0 }.write(0, out);
        out.u16(self.offset);
        out.u16(self.precision);
    }
}

/// Bits without arithmetic.
///
/// ```
/// use hdf5_lite::{BitFieldType, ByteOrder, Datatype};
/// let order = ByteOrder::LittleEndian;
/// let bits = BitFieldType { size: 1, order, offset: 0, precision: 8 };
/// assert_eq!(Datatype::BitField(bits).class(), "bit field");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitFieldType {
    /// Bytes.
    pub size: u32,
    /// Order of the bytes.
    pub order: ByteOrder,
    /// Position of the lowest bit in use.
    pub offset: u16,
    /// Number of bits in use.
    pub precision: u16,
}

impl BitFieldType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let (i, (offset, precision)) = bits(i, head)?;
        Ok((i, Self { size: head.size, order: ByteOrder::of(head), offset, precision }))
    }

    pub(super) fn write(self, out: &mut Out) {
        Head { version: 1, bits: self.order.to_bits(), size: self.size, depth: 0 }.write(4, out);
        out.u16(self.offset);
        out.u16(self.precision);
    }
}

/// A floating-point number of any layout.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("grid")?;
/// let Datatype::FloatingPoint(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!((datatype.mantissa_size, datatype.exponent_size, datatype.bias), (23, 8, 127));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatingPoint {
    /// Bytes.
    pub size: u32,
    /// Order of the bytes.
    pub order: ByteOrder,
    /// Position of the lowest bit in use.
    pub offset: u16,
    /// Number of bits in use.
    pub precision: u16,
    /// Position of the sign bit.
    pub sign: u8,
    /// Position of the exponent.
    pub exponent: u8,
    /// Bits of the exponent.
    pub exponent_size: u8,
    /// Position of the mantissa.
    pub mantissa: u8,
    /// Bits of the mantissa.
    pub mantissa_size: u8,
    /// What is added to the exponent.
    pub bias: u32,
    /// Where the highest bit of the mantissa is.
    pub normalization: Normalization,
}

/// Where the highest bit of a mantissa is.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Normalization;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("grid")?;
/// let Datatype::FloatingPoint(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.normalization, Normalization::Implied);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalization {
    /// Stored, and may be zero.
    None,
    /// Stored, and set except in zero.
    MostSignificantBitSet,
    /// Not stored, implied to be set.
    Implied,
}

impl FloatingPoint {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let order = match (head.bit(6), head.bit(0)) {
            (false, false) => ByteOrder::LittleEndian,
            (false, true) => ByteOrder::BigEndian,
            (true, true) => ByteOrder::Vax,
            (true, false) => return unsupported(i, "byte order", 2),
        };
        let normalization = match head.bits >> 4 & 3 {
            0 => Normalization::None,
            1 => Normalization::MostSignificantBitSet,
            2 => Normalization::Implied,
            other => return unsupported(i, "mantissa normalization", other.into()),
        };
        let [_, sign, ..] = head.bits.to_le_bytes();
        let (i, (offset, precision)) = bits(i, head)?;
        let at = i;
        let (i, (exponent, exponent_size)) = field("exponent", (le_u8, le_u8)).parse(i)?;
        let (i, (mantissa, mantissa_size)) = field("mantissa", (le_u8, le_u8)).parse(i)?;
        let (i, bias) = field("exponent bias", le_u32).parse(i)?;
        let all = u64::from(head.size) * 8;
        let ends = [(exponent, exponent_size), (mantissa, mantissa_size), (sign, 1)];
        if ends.iter().any(|(start, size)| u64::from(*start) + u64::from(*size) > all) {
            return malformed(at, "bits of a floating-point number");
        }
        let size = head.size;
        Ok((
            i,
            Self {
                size,
                order,
                offset,
                precision,
                sign,
                exponent,
                exponent_size,
                mantissa,
                mantissa_size,
                bias,
                normalization,
            },
        ))
    }

    pub(super) fn write(self, out: &mut Out) {
        let normalization = match self.normalization {
            Normalization::None => 0,
            Normalization::MostSignificantBitSet => 1,
            Normalization::Implied => 2,
        };
        let bits = self.order.to_bits() | normalization << 4 | u32::from(self.sign) << 8;
        // Version 3 brought the order of the VAX.
        let version = if self.order == ByteOrder::Vax { 3 } else { 1 };
        Head { version, bits, size: self.size, depth: 0 }.write(1, out);
        out.u16(self.offset);
        out.u16(self.precision);
        out.bytes(&[self.exponent, self.exponent_size, self.mantissa, self.mantissa_size]);
        out.u32(self.bias);
    }

    /// The value of an element, rounded to the nearest `f64`.
    ///
    /// `None` for `bytes` of another length and for layouts that no machine has: more than 32
    /// bytes, a mantissa of more than 112 bits.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Datatype;
    /// let dataset = file.dataset("grid")?;
    /// let Datatype::FloatingPoint(datatype) = dataset.datatype() else { panic!() };
    /// assert_eq!(datatype.value(&2.5_f32.to_le_bytes()), Some(2.5));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn value(&self, bytes: &[u8]) -> Option<f64> {
        let right = u32::try_from(bytes.len()) == Ok(self.size);
        right.then(|| crate::element::float_value(self, bytes)).flatten()
    }

    /// Size, sign, exponent and mantissa positions and sizes, bias.
    fn layout(&self) -> (u32, u8, u8, u8, u8, u8, u32) {
        let Self { size, sign, exponent, exponent_size, mantissa, mantissa_size, bias, .. } = *self;
        (size, sign, exponent, exponent_size, mantissa, mantissa_size, bias)
    }

    /// Whether this is an IEEE 754 number of 2, 4 or 8 bytes, in either byte order.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Datatype;
    /// let dataset = file.dataset("grid")?;
    /// let Datatype::FloatingPoint(datatype) = dataset.datatype() else { panic!() };
    /// assert!(datatype.is_ieee());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn is_ieee(&self) -> bool {
        let ieee =
            [(2, 15, 10, 5, 0, 10, 15), (4, 31, 23, 8, 0, 23, 127), (8, 63, 52, 11, 0, 52, 1023)];
        self.normalization == Normalization::Implied
            && self.order != ByteOrder::Vax
            && self.offset == 0
            && ieee.contains(&self.layout())
    }
}

/// A time, of which the specification says no more than its bits.
///
/// ```
/// use hdf5_lite::{ByteOrder, Datatype, TimeType};
/// let time = TimeType { size: 4, order: ByteOrder::LittleEndian, precision: 32 };
/// assert_eq!(Datatype::Time(time).class(), "time");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeType {
    /// Bytes.
    pub size: u32,
    /// Order of the bytes.
    pub order: ByteOrder,
    /// Number of bits in use.
    pub precision: u16,
}

impl TimeType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let (i, precision) = field("bit precision", le_u16).parse(i)?;
        Ok((i, Self { size: head.size, order: ByteOrder::of(head), precision }))
    }

    pub(super) fn write(self, out: &mut Out) {
        Head { version: 1, bits: self.order.to_bits(), size: self.size, depth: 0 }.write(2, out);
        out.u16(self.precision);
    }
}

/// A complex number: real and imaginary part.
///
/// ```
/// let file = hdf5_lite::File::open("../../fixtures/hdf5/complex_numbers_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("c8")?;
/// let Datatype::Complex(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!((datatype.size, datatype.base.size()), (8, 4));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComplexType {
    /// Bytes of both parts.
    pub size: u32,
    /// The type of each part.
    pub base: Box<Datatype>,
}

impl ComplexType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let (rest, base) = head.base(i)?;
        if !matches!(base, Datatype::FloatingPoint(_))
            || base.size().checked_mul(2) != usize::try_from(head.size).ok()
        {
            return malformed(i, "base type");
        }
        Ok((rest, Self { size: head.size, base: Box::new(base) }))
    }

    pub(super) fn write(&self, out: &mut Out) -> Result<()> {
        // Both parts are of one type, and rectangular.
        Head { version: 5, bits: 1, size: self.size, depth: 0 }.write(11, out);
        self.base.write(out)
    }
}

/// Offset and precision, which must lie within the bytes.
fn bits(i: &[u8], head: Head) -> Parsed<'_, (u16, u16)> {
    let (rest, (offset, precision)) =
        field("bit offset and precision", (le_u16, le_u16)).parse(i)?;
    let end = u64::from(offset) + u64::from(precision);
    if precision == 0 || end > u64::from(head.size) * 8 {
        return malformed(i, "bit offset and precision");
    }
    Ok((rest, (offset, precision)))
}
