//! Datatype message: HDF5 File Format Specification 3.0, IV.A.2.d.
//! Class 11, complex numbers, and version 5 come from HDF5 2.0.

mod composite;
mod numeric;
#[cfg(test)]
mod tests;
mod text;

pub use composite::{
    ArrayType, CompoundType, EnumType, Member, ReferenceKind, ReferenceType, VariableKind,
    VariableType,
};
pub use numeric::{
    BitFieldType, ByteOrder, ComplexType, FixedPoint, FloatingPoint, Normalization, TimeType,
};
pub use text::{CharacterSet, OpaqueType, Padding, StringType};

use nom::Parser;
use nom::number::complete::{le_u8, le_u24, le_u32};

use super::Message;
use crate::element::Element;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, field, malformed, unsupported};

/// Datatypes within datatypes; deeper ones would only serve to exhaust the stack.
const MAX_DEPTH: u8 = 32;

/// Bytes of an element of variable length: a length of four, an address of eight, a number of four.
pub(crate) const VARIABLE_SIZE: u32 = 16;

/// The type of an element.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// match file.dataset("counts")?.datatype() {
///     Datatype::FixedPoint(t) => assert!(t.signed && t.size == 2),
///     other => panic!("{}", other.class()),
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Datatype {
    /// Class 0: an integer.
    FixedPoint(FixedPoint),
    /// Class 1: a floating-point number.
    FloatingPoint(FloatingPoint),
    /// Class 2: a time, which no library reads or writes.
    Time(TimeType),
    /// Class 3: a string of fixed length.
    String(StringType),
    /// Class 4: bits.
    BitField(BitFieldType),
    /// Class 5: bytes.
    Opaque(OpaqueType),
    /// Class 6: named members.
    Compound(CompoundType),
    /// Class 7: a reference to an object, a region or an attribute.
    Reference(ReferenceType),
    /// Class 8: integers with names.
    Enum(EnumType),
    /// Class 9: a sequence or a string of variable length.
    Variable(VariableType),
    /// Class 10: an array.
    Array(ArrayType),
    /// Class 11: a complex number.
    Complex(ComplexType),
}

impl Datatype {
    /// The type of numbers as they are in memory.
    ///
    /// ```
    /// use hdf5_lite::{ByteOrder, Datatype};
    /// let Datatype::FixedPoint(t) = Datatype::of::<i16>() else { panic!() };
    /// assert_eq!((t.size, t.signed, t.order), (2, true, ByteOrder::NATIVE));
    /// ```
    pub fn of<T: Element>() -> Self {
        T::datatype()
    }

    /// The type of booleans as h5py stores them; see [`is_bool`](Self::is_bool).
    ///
    /// ```
    /// assert!(hdf5_lite::Datatype::boolean().is_bool());
    /// ```
    pub fn boolean() -> Self {
        let members = [("FALSE", 0), ("TRUE", 1)];
        let members = members.map(|(name, value)| (name.as_bytes().to_vec(), vec![value]));
        Self::Enum(EnumType { base: Box::new(Self::of::<i8>()), members: members.to_vec() })
    }

    /// The type of texts of variable length in UTF-8.
    ///
    /// ```
    /// assert!(hdf5_lite::Datatype::text().is_string());
    /// ```
    pub fn text() -> Self {
        let base = Box::new(Self::of::<u8>());
        let (kind, padding) = (VariableKind::String, Padding::NullTerminate);
        let character_set = CharacterSet::Utf8;
        Self::Variable(VariableType { size: VARIABLE_SIZE, kind, padding, character_set, base })
    }

    /// The type of sequences of variable length.
    ///
    /// ```
    /// use hdf5_lite::Datatype;
    /// assert_eq!(Datatype::sequence(Datatype::of::<f32>()).class(), "variable-length");
    /// ```
    pub fn sequence(base: Self) -> Self {
        let base = Box::new(base);
        let (kind, padding) = (VariableKind::Sequence, Padding::NullTerminate);
        let character_set = CharacterSet::Ascii;
        Self::Variable(VariableType { size: VARIABLE_SIZE, kind, padding, character_set, base })
    }

    /// The type of references to objects.
    ///
    /// ```
    /// assert_eq!(hdf5_lite::Datatype::object_reference().class(), "reference");
    /// ```
    pub fn object_reference() -> Self {
        Self::Reference(ReferenceType { size: 8, kind: ReferenceKind::Object })
    }

    /// Bytes of an element as stored.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("cities")?.datatype().size(), 20);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn size(&self) -> usize {
        let size = match self {
            Self::FixedPoint(t) => t.size,
            Self::FloatingPoint(t) => t.size,
            Self::Time(t) => t.size,
            Self::String(t) => t.size,
            Self::BitField(t) => t.size,
            Self::Opaque(t) => t.size,
            Self::Compound(t) => t.size,
            Self::Reference(t) => t.size,
            Self::Enum(t) => return t.base.size(),
            Self::Variable(t) => t.size,
            Self::Array(t) => t.size,
            Self::Complex(t) => t.size,
        };
        // 32 bits, on every target this crate is built for.
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// The name of the class.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("cities")?.datatype().class(), "compound");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn class(&self) -> &'static str {
        match self {
            Self::FixedPoint(_) => "fixed-point",
            Self::FloatingPoint(_) => "floating-point",
            Self::Time(_) => "time",
            Self::String(_) => "string",
            Self::BitField(_) => "bit field",
            Self::Opaque(_) => "opaque",
            Self::Compound(_) => "compound",
            Self::Reference(_) => "reference",
            Self::Enum(_) => "enumeration",
            Self::Variable(_) => "variable-length",
            Self::Array(_) => "array",
            Self::Complex(_) => "complex",
        }
    }

    /// Whether this is a boolean as h5py stores it: an enumeration of FALSE = 0 and TRUE = 1.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.dataset("flags")?.datatype().is_bool());
    /// assert!(!file.dataset("colour")?.datatype().is_bool());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn is_bool(&self) -> bool {
        let Self::Enum(t) = self else { return false };
        let mut members: Vec<_> = t.members.iter().map(|(n, v)| (&n[..], v.first())).collect();
        members.sort_unstable();
        t.base.size() == 1 && members == [(&b"FALSE"[..], Some(&0)), (b"TRUE", Some(&1))]
    }

    /// Whether this is a string, of fixed or of variable length.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.dataset("labels")?.datatype().is_string());
    /// assert!(file.dataset("codes")?.datatype().is_string());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
            || matches!(self, Self::Variable(t) if t.kind == VariableKind::String)
    }

    /// Whether the type, or a type within it, is `wanted`.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let cities = file.dataset("cities")?;
    /// assert!(cities.datatype().any(&|t| t.is_string()));
    /// assert!(!cities.datatype().any(&|t| t.is_bool()));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn any(&self, wanted: &impl Fn(&Self) -> bool) -> bool {
        wanted(self)
            || match self {
                Self::Compound(t) => t.members.iter().any(|member| member.datatype.any(wanted)),
                Self::Enum(t) => t.base.any(wanted),
                Self::Variable(t) => t.base.any(wanted),
                Self::Array(t) => t.base.any(wanted),
                Self::Complex(t) => t.base.any(wanted),
                _ => false,
            }
    }

    /// The version to write: what is made of others has at least theirs.
    fn written_version(&self) -> u8 {
        match self {
            Self::Compound(t) => {
                let members = t.members.iter().map(|member| member.datatype.written_version());
                members.fold(3, u8::max)
            }
            Self::Enum(t) => t.base.written_version().max(3),
            Self::Array(t) => t.base.written_version().max(3),
            Self::Variable(t) => t.base.written_version(),
            Self::Reference(t) => match t.kind {
                ReferenceKind::Object | ReferenceKind::Region => 1,
                _ => 4,
            },
            Self::Complex(_) => 5,
            _ => 1,
        }
    }

    /// Parses a datatype within `depth` others.
    fn parse_at(i: &[u8], depth: u8) -> Parsed<'_, Self> {
        if depth > MAX_DEPTH {
            return malformed(i, "depth of datatypes");
        }
        let at = i;
        let (i, class_and_version) = field("class and version", le_u8).parse(i)?;
        let (version, class) = (class_and_version >> 4, class_and_version & 0x0f);
        if !(1..=5).contains(&version) {
            return unsupported(at, "version", version.into());
        }
        let (i, bits) = field("class bit field", le_u24).parse(i)?;
        let (i, size) = field("size", le_u32).parse(i)?;
        let head = Head { version, bits, size, depth };
        // Only the text and opaque classes may be empty.
        if size == 0 && !matches!(class, 3 | 5) {
            return malformed(at, "size");
        }
        match class {
            0 => FixedPoint::parse(i, head).map(|(i, t)| (i, Self::FixedPoint(t))),
            1 => FloatingPoint::parse(i, head).map(|(i, t)| (i, Self::FloatingPoint(t))),
            2 => TimeType::parse(i, head).map(|(i, t)| (i, Self::Time(t))),
            3 => StringType::parse(i, head).map(|(i, t)| (i, Self::String(t))),
            4 => BitFieldType::parse(i, head).map(|(i, t)| (i, Self::BitField(t))),
            5 => OpaqueType::parse(i, head).map(|(i, t)| (i, Self::Opaque(t))),
            6 => CompoundType::parse(i, head).map(|(i, t)| (i, Self::Compound(t))),
            7 => ReferenceType::parse(i, head).map(|(i, t)| (i, Self::Reference(t))),
            8 => EnumType::parse(i, head).map(|(i, t)| (i, Self::Enum(t))),
            9 => VariableType::parse(i, head).map(|(i, t)| (i, Self::Variable(t))),
            10 => ArrayType::parse(i, head).map(|(i, t)| (i, Self::Array(t))),
            11 => ComplexType::parse(i, head).map(|(i, t)| (i, Self::Complex(t))),
            _ => unsupported(at, "class", class.into()),
        }
    }
}

/// The fields that every class has.
#[derive(Clone, Copy)]
struct Head {
    version: u8,
    /// "Class Bit Field".
    bits: u32,
    size: u32,
    /// How many datatypes this one is within.
    depth: u8,
}

impl Head {
    fn bit(self, bit: u32) -> bool {
        self.bits >> bit & 1 != 0
    }

    fn write(self, class: u8, out: &mut Out) {
        out.u8(self.version << 4 | class);
        out.uint(self.bits.into(), 3);
        out.u32(self.size);
    }

    /// The datatype that this one is made of.
    fn base(self, i: &[u8]) -> Parsed<'_, Datatype> {
        Datatype::parse_at(i, self.depth + 1)
    }
}

impl Message for Datatype {
    const ID: u16 = 0x0003;
}

impl Structure for Datatype {
    const NAME: &'static str = "Datatype";
    const SPEC: &'static str = "IV.A.2.d";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        Self::parse_at(i, 0)
    }
}

impl Write for Datatype {
    /// Each class in the oldest version without padding that can say it.
    fn write(&self, out: &mut Out) -> Result<()> {
        let version = self.written_version();
        match self {
            Self::FixedPoint(t) => t.write(out),
            Self::FloatingPoint(t) => t.write(out),
            Self::Time(t) => t.write(out),
            Self::String(t) => t.write(out),
            Self::BitField(t) => t.write(out),
            Self::Opaque(t) => t.write(out)?,
            Self::Compound(t) => t.write(version, out)?,
            Self::Reference(t) => t.write(version, out),
            Self::Enum(t) => t.write(version, out)?,
            Self::Variable(t) => t.write(version, out)?,
            Self::Array(t) => t.write(version, out)?,
            Self::Complex(t) => t.write(out)?,
        }
        Ok(())
    }
}
