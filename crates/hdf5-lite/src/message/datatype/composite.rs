//! Classes 6 to 10: types made of others, and references (IV.A.2.d).

use nom::Parser;
use nom::bytes::complete::take;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u32};

use super::{CharacterSet, Datatype, Head, Padding};
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Parsed, c_string, field, malformed, uint, unsupported, width_of};

/// Named members at offsets.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("cities")?;
/// let Datatype::Compound(datatype) = dataset.datatype() else { panic!() };
/// let names: Vec<&[u8]> = datatype.members.iter().map(|m| &m.name[..]).collect();
/// assert_eq!(names, [&b"name"[..], b"people", b"at"]);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompoundType {
    /// Bytes, gaps included.
    pub size: u32,
    /// In stored order.
    pub members: Vec<Member>,
}

/// A member of a compound.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("cities")?;
/// let Datatype::Compound(datatype) = dataset.datatype() else { panic!() };
/// let people = &datatype.members[1];
/// assert_eq!((people.offset, people.datatype.size()), (8, 4));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name as stored, mostly UTF-8.
    pub name: Vec<u8>,
    /// Where in the element it starts.
    pub offset: usize,
    /// Its type.
    pub datatype: Datatype,
}

impl CompoundType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let number = usize::try_from(head.bits & 0xffff).unwrap_or(0);
        let mut members = Vec::new();
        let mut i = i;
        for _ in 0..number {
            let (rest, member) = Member::parse(i, head)?;
            let end = member.offset.checked_add(member.datatype.size());
            if end.is_none_or(|end| end as u64 > u64::from(head.size)) {
                return malformed(i, "offset of a compound's member");
            }
            members.push(member);
            i = rest;
        }
        Ok((i, Self { size: head.size, members }))
    }

    pub(super) fn write(&self, version: u8, out: &mut Out) -> Result<()> {
        let bits = number("number of members", self.members.len())?;
        Head { version, bits, size: self.size, depth: 0 }.write(6, out);
        for member in &self.members {
            out.bytes(&member.name);
            out.u8(0);
            out.uint(member.offset as u64, width_of(self.size.into()));
            member.datatype.write(out)?;
        }
        Ok(())
    }
}

impl Member {
    fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let (i, name) = name(i, head.version)?;
        let width = if head.version < 3 { 4 } else { width_of(head.size.into()) };
        let (i, offset) = field("offset of a compound's member", uint(width)).parse(i)?;
        let (i, dims) = if head.version == 1 { dims_of_version_1(i)? } else { (i, Vec::new()) };
        let (i, mut datatype) = head.base(i)?;
        if !dims.is_empty() {
            let Some(array) = ArrayType::of(dims, datatype) else {
                return malformed(i, "dimensions of a compound's member");
            };
            datatype = Datatype::Array(array);
        }
        // An offset beyond memory is beyond the compound too.
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok((i, Self { name: name.to_vec(), offset, datatype }))
    }
}

/// Version 1 has up to four dimensions in each member, and no array class.
fn dims_of_version_1(i: &[u8]) -> Parsed<'_, Vec<u32>> {
    let (i, rank) = field("dimensionality of a compound's member", le_u8).parse(i)?;
    // Three reserved bytes, the permutation, and four more reserved.
    let (i, _) = field("reserved", take(11_usize)).parse(i)?;
    let (rest, mut dims) = field("dimensions of a compound's member", count(le_u32, 4)).parse(i)?;
    if rank > 4 {
        return malformed(i, "dimensionality of a compound's member");
    }
    dims.truncate(rank.into());
    Ok((rest, dims))
}

/// A number of members, for which there are 16 bits.
fn number(field: &'static str, members: usize) -> Result<u32> {
    let number = u16::try_from(members);
    number.map(u32::from).map_err(|_| Datatype::too_large(field, members as u64))
}

/// A name with its NUL, padded to eight bytes before version 3.
fn name(i: &[u8], version: u8) -> Parsed<'_, &[u8]> {
    let (rest, name) = field("name of a member", c_string).parse(i)?;
    let len = name.len() + 1;
    let padding = if version < 3 { len.next_multiple_of(8) - len } else { 0 };
    let (rest, _) = field("padding of a name", take(padding)).parse(rest)?;
    Ok((rest, name))
}

/// Integers with names.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("colour")?;
/// let Datatype::Enum(datatype) = dataset.datatype() else { panic!() };
/// assert!(datatype.members.contains(&(b"GREEN".to_vec(), vec![1])));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumType {
    /// The type of the integers.
    pub base: Box<Datatype>,
    /// Names and the bytes of the values, in stored order.
    pub members: Vec<(Vec<u8>, Vec<u8>)>,
}

impl EnumType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let number = usize::try_from(head.bits & 0xffff).unwrap_or(0);
        let at = i;
        let (i, base) = head.base(i)?;
        if !matches!(base, Datatype::FixedPoint(_)) {
            return malformed(at, "base type of an enumeration");
        }
        let (i, names) = count(|i| name(i, head.version), number).parse(i)?;
        let (i, values) = field("values", count(take(base.size()), number)).parse(i)?;
        let members =
            names.into_iter().zip(values).map(|(n, v): (_, &[u8])| (n.to_vec(), v.to_vec()));
        Ok((i, Self { base: Box::new(base), members: members.collect() }))
    }

    pub(super) fn write(&self, version: u8, out: &mut Out) -> Result<()> {
        let bits = number("number of names", self.members.len())?;
        let size = self.base.size();
        let size = u32::try_from(size).map_err(|_| Datatype::too_large("size", size as u64))?;
        Head { version, bits, size, depth: 0 }.write(8, out);
        self.base.write(out)?;
        for (name, _) in &self.members {
            out.bytes(name);
            out.u8(0);
        }
        self.members.iter().for_each(|(_, value)| out.bytes(value));
        Ok(())
    }
}

/// A sequence or a string whose length each element says.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("lists")?;
/// let Datatype::Variable(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.base.class(), "fixed-point");
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableType {
    /// Bytes of an element as stored: a length and where the values lie.
    pub size: u32,
    /// Sequence or string.
    pub kind: VariableKind,
    /// Padding of a string.
    pub padding: Padding,
    /// Encoding of a string.
    pub character_set: CharacterSet,
    /// The type of the values.
    pub base: Box<Datatype>,
}

/// What a variable-length type holds.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::VariableKind;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("labels")?;
/// let Datatype::Variable(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.kind, VariableKind::String);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// Values of a type.
    Sequence,
    /// A text.
    String,
}

impl VariableType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let kind = match head.bits & 0x0f {
            0 => VariableKind::Sequence,
            1 => VariableKind::String,
            other => return unsupported(i, "variable-length type", other.into()),
        };
        let Some(padding) = Padding::from_bits(head.bits >> 4) else {
            return unsupported(i, "padding type", u64::from(head.bits >> 4 & 0x0f));
        };
        let Some(character_set) = CharacterSet::from_bits(head.bits >> 8) else {
            return unsupported(i, "character set", u64::from(head.bits >> 8 & 0x0f));
        };
        let (i, base) = head.base(i)?;
        Ok((i, Self { size: head.size, kind, padding, character_set, base: Box::new(base) }))
    }

    pub(super) fn write(&self, version: u8, out: &mut Out) -> Result<()> {
        let kind = match self.kind {
            VariableKind::Sequence => 0,
            VariableKind::String => 1,
        };
        let text = self.padding.to_bits() << 4 | u32::from(self.character_set.to_bits()) << 8;
        Head { version, bits: kind | text, size: self.size, depth: 0 }.write(9, out);
        self.base.write(out)
    }
}

/// An array of fixed shape.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("cities")?;
/// let Datatype::Compound(city) = dataset.datatype() else { panic!() };
/// let Datatype::Array(at) = &city.members[2].datatype else { panic!() };
/// assert_eq!(at.dims, [2]);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayType {
    /// Bytes.
    pub size: u32,
    /// The length of each axis, slowest first.
    pub dims: Vec<u32>,
    /// The type of the elements.
    pub base: Box<Datatype>,
}

impl ArrayType {
    fn of(dims: Vec<u32>, base: Datatype) -> Option<Self> {
        let size = u32::try_from(base.size()).ok()?;
        let size = dims.iter().try_fold(size, |size, dim| size.checked_mul(*dim))?;
        Some(Self { size, dims, base: Box::new(base) })
    }

    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let at = i;
        let (i, rank) = field("dimensionality of an array", le_u8).parse(i)?;
        let reserved = if head.version < 3 { 3_usize } else { 0 };
        let (i, _) = field("reserved", take(reserved)).parse(i)?;
        let (i, dims) = field("dimensions of an array", count(le_u32, rank.into())).parse(i)?;
        // The permutation of version 2 was never implemented.
        let permutation = if head.version < 3 { 4 * usize::from(rank) } else { 0 };
        let (i, _) = field("permutation of an array", take(permutation)).parse(i)?;
        let (i, base) = head.base(i)?;
        match Self::of(dims, base) {
            Some(array) if array.size == head.size => Ok((i, array)),
            _ => malformed(at, "size of an array"),
        }
    }

    pub(super) fn write(&self, version: u8, out: &mut Out) -> Result<()> {
        let rank = self.dims.len();
        let rank = u8::try_from(rank)
            .map_err(|_| Datatype::too_large("dimensionality of an array", rank as u64))?;
        Head { version, bits: 0, size: self.size, depth: 0 }.write(10, out);
        out.u8(rank);
        self.dims.iter().for_each(|dim| out.u32(*dim));
        self.base.write(out)
    }
}

/// A reference.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("to_grid")?;
/// let Datatype::Reference(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.size, 8);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferenceType {
    /// Bytes of an element as stored.
    pub size: u32,
    /// What is referred to.
    pub kind: ReferenceKind,
}

/// What a reference refers to.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::ReferenceKind;
/// use hdf5_lite::Datatype;
/// let dataset = file.dataset("to_part")?;
/// let Datatype::Reference(datatype) = dataset.datatype() else { panic!() };
/// assert_eq!(datatype.kind, ReferenceKind::Region);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// An object, by its address (`H5R_OBJECT1`).
    Object,
    /// A part of a dataset, in the global heap (`H5R_DATASET_REGION1`).
    Region,
    /// An object (`H5R_OBJECT2` of HDF5 1.12).
    Object2,
    /// A part of a dataset (`H5R_DATASET_REGION2` of HDF5 1.12).
    Region2,
    /// An attribute (`H5R_ATTR` of HDF5 1.12).
    Attribute,
}

impl ReferenceType {
    pub(super) fn parse(i: &[u8], head: Head) -> Parsed<'_, Self> {
        let kind = match head.bits & 0x0f {
            0 => ReferenceKind::Object,
            1 => ReferenceKind::Region,
            2 => ReferenceKind::Object2,
            3 => ReferenceKind::Region2,
            4 => ReferenceKind::Attribute,
            other => return unsupported(i, "reference type", other.into()),
        };
        Ok((i, Self { size: head.size, kind }))
    }

    pub(super) fn write(self, version: u8, out: &mut Out) {
        let bits = match self.kind {
            ReferenceKind::Object => 0,
            ReferenceKind::Region => 1,
            // With the version of the encoding.
            ReferenceKind::Object2 => 0x12,
            ReferenceKind::Region2 => 0x13,
            ReferenceKind::Attribute => 0x14,
        };
        Head { version, bits, size: self.size, depth: 0 }.write(7, out);
    }
}
