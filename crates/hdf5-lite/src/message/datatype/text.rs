//! Classes 3 and 5: strings of fixed length, and opaque bytes (IV.A.2.d).

use nom::Parser;
use nom::bytes::complete::take;

use super::{Datatype, Head};
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Parsed, field, unsupported, until_nul};

/// A string of fixed length.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("codes")?;
/// let Datatype::String(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!((datatype.size, datatype.character_set), (4, hdf5_lite::CharacterSet::Ascii));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringType {
    /// Bytes, padding included.
    pub size: u32,
    /// What fills the bytes behind the text.
    pub padding: Padding,
    /// Encoding of the text.
    pub character_set: CharacterSet,
}

/// What fills the bytes behind a text.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Padding;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("codes")?;
/// let Datatype::String(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.padding, Padding::NullPad);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// A NUL ends the text; what follows means nothing.
    NullTerminate,
    /// NULs.
    NullPad,
    /// Spaces, as in Fortran.
    SpacePad,
}

impl Padding {
    pub(super) fn from_bits(bits: u32) -> Option<Self> {
        Some(match bits & 0x0f {
            0 => Self::NullTerminate,
            1 => Self::NullPad,
            2 => Self::SpacePad,
            _ => return None,
        })
    }

    pub(super) fn to_bits(self) -> u32 {
        match self {
            Self::NullTerminate => 0,
            Self::NullPad => 1,
            Self::SpacePad => 2,
        }
    }

    /// What fills the bytes behind a text that is written.
    pub(crate) fn filler(self) -> u8 {
        if self == Self::SpacePad { b' ' } else { 0 }
    }

    /// `bytes` without the padding.
    ///
    /// ```
    /// use hdf5_lite::Padding;
    /// assert_eq!(Padding::NullTerminate.cut(b"ab\0c"), b"ab");
    /// assert_eq!(Padding::SpacePad.cut(b"ab  "), b"ab");
    /// ```
    pub fn cut(self, bytes: &[u8]) -> &[u8] {
        let without_end = |pad: u8| {
            let len = bytes.iter().rposition(|byte| *byte != pad).map_or(0, |last| last + 1);
            bytes.get(..len).unwrap_or_default()
        };
        match self {
            Self::NullTerminate => until_nul(bytes),
            Self::NullPad => without_end(0),
            Self::SpacePad => without_end(b' '),
        }
    }
}

/// Encoding of a text.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::CharacterSet;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("labels")?;
/// let Datatype::Variable(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.character_set, CharacterSet::Utf8);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharacterSet {
    /// ASCII.
    Ascii,
    /// UTF-8.
    Utf8,
}

impl CharacterSet {
    pub(super) fn from_bits(bits: u32) -> Option<Self> {
        Some(match bits & 0x0f {
            0 => Self::Ascii,
            1 => Self::Utf8,
            _ => return None,
        })
    }

    pub(crate) fn to_bits(self) -> u8 {
        match self {
            Self::Ascii => 0,
            Self::Utf8 => 1,
        }
    }

    /// The encoding of a name that is written.
    pub(crate) fn of(text: &[u8]) -> Self {
        if text.is_ascii() { Self::Ascii } else { Self::Utf8 }
    }
}

impl StringType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let Some(padding) = Padding::from_bits(head.bits) else {
            return unsupported(i, "padding type", u64::from(head.bits & 0x0f));
        };
        let Some(character_set) = CharacterSet::from_bits(head.bits >> 4) else {
            return unsupported(i, "character set", u64::from(head.bits >> 4 & 0x0f));
        };
        Ok((i, Self { size: head.size, padding, character_set }))
    }

    pub(super) fn write(self, out: &mut Out) {
        let bits = self.padding.to_bits() | u32::from(self.character_set.to_bits()) << 4;
        Head { version: 1, bits, size: self.size, depth: 0 }.write(3, out);
    }
}

/// Bytes that mean something to the writer only.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("blob")?;
/// let Datatype::Opaque(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.size, 2);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpaqueType {
    /// Bytes.
    pub size: u32,
    /// What the writer calls them, as stored.
    pub tag: Vec<u8>,
}

impl OpaqueType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let (i, tag) = field("tag", take(head.bits & 0xff)).parse(i)?;
        Ok((i, Self { size: head.size, tag: until_nul(tag).to_vec() }))
    }

    pub(super) fn write(&self, out: &mut Out) -> Result<()> {
        let len = self.tag.len().next_multiple_of(8);
        let bits = u8::try_from(len).map_err(|_| Datatype::too_large("tag", len as u64))?;
        Head { version: 1, bits: bits.into(), size: self.size, depth: 0 }.write(5, out);
        out.bytes(&self.tag);
        out.zeros(len - self.tag.len());
        Ok(())
    }
}
