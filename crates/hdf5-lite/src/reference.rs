//! References as elements: HDF5 File Format Specification 3.0, VIII.B and VIII.C.

use bytes::Bytes;
use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::cond;
use nom::multi::length_data;
use nom::number::complete::{le_u8, le_u16, le_u32};

use crate::error::{Error, Result};
use crate::file::File;
use crate::heap::GlobalHeapId;
use crate::message::{ReferenceKind, ReferenceType};
use crate::object::{Object, ObjectAddress, text};
use crate::parse::{Address, Context, Parsed, Structure, field, le_uint, unsupported};
use crate::selection::StoredSelection;
use crate::storage::Block;

/// What an element of reference type refers to.
///
/// ```no_run
/// # let file = hdf5_lite::File::open("table.h5")?;
/// use hdf5_lite::{Node, Reference, Value};
/// for value in file.dataset("references")?.values()? {
///     let Value::Reference(reference) = value else { continue };
///     let node = file.dereference(&reference)?.into_node()?;
///     if let (Reference::Region(region), Node::Dataset(dataset)) = (&reference, node) {
///         let part: Vec<f64> = dataset.read_region(region)?;
///     }
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reference {
    /// Nothing.
    Null,
    /// An object of this file.
    Object(ObjectAddress),
    /// Elements of a dataset of this file.
    Region(Region),
    /// An attribute of an object of this file.
    Attribute {
        /// The object.
        object: ObjectAddress,
        /// The attribute's name.
        name: String,
    },
    /// Something in another file.
    External {
        /// The name of the file, as stored.
        file: String,
        /// What is referred to in that file.
        reference: Box<Reference>,
    },
}

/// Elements of a dataset: see [`Dataset::read_region`](crate::Dataset::read_region).
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::{Reference, Value};
/// let references = file.dataset("to_part")?.values()?;
/// let Value::Reference(Reference::Region(region)) = &references[0] else { panic!() };
/// assert_eq!(file.dataset("grid")?.read_region::<f32>(region)?, [8.0, 9.0, 14.0, 15.0]);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub(crate) object: ObjectAddress,
    pub(crate) selection: StoredSelection,
}

impl Region {
    /// The dataset.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::{Reference, Value};
    /// let references = file.dataset("to_part")?.values()?;
    /// let Value::Reference(Reference::Region(region)) = &references[0] else { panic!() };
    /// assert_eq!(region.object(), file.dataset("grid")?.object().address());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn object(&self) -> ObjectAddress {
        self.object
    }
}

impl Reference {
    /// The object in this file that is referred to, in whole or in part.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Value;
    /// let references = file.dataset("to_part")?.values()?;
    /// let Value::Reference(reference) = &references[0] else { panic!() };
    /// assert_eq!(reference.object(), Some(file.dataset("grid")?.object().address()));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn object(&self) -> Option<ObjectAddress> {
        match self {
            Self::Object(object) | Self::Attribute { object, .. } => Some(*object),
            Self::Region(region) => Some(region.object),
            Self::Null | Self::External { .. } => None,
        }
    }

    /// Reads an element of type `datatype`.
    pub(crate) fn of_element(file: &File, datatype: ReferenceType, bytes: &[u8]) -> Result<Self> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Self::Null);
        }
        let block = Block { at: 0, data: Bytes::copy_from_slice(bytes) };
        match datatype.kind {
            ReferenceKind::Object => {
                let ones = bytes.iter().all(|byte| *byte == 0xff);
                let address = Address(le_uint(bytes.get(..8).unwrap_or(bytes)));
                Ok(if ones { Self::Null } else { Self::Object(ObjectAddress(address)) })
            }
            ReferenceKind::Region => {
                let HeapId(id) = HeapId::read(&block, file.sizes())?;
                let Some(id) = id else { return Ok(Self::Null) };
                Ok(Self::Region(Region::read(&file.global_heap(id)?, file.sizes())?))
            }
            ReferenceKind::Object2 | ReferenceKind::Region2 | ReferenceKind::Attribute => {
                let head = Head::read(&block, file.sizes())?;
                let body = match &head.place {
                    Place::Here(body) => body.clone(),
                    Place::Heap(HeapId(None)) => return Ok(Self::Null),
                    Place::Heap(HeapId(Some(id))) => file.global_heap(*id)?,
                };
                match revised(&body.data, &Context::new(file.sizes(), &body), &head) {
                    Ok((_, reference)) => Ok(reference),
                    Err(stop) => Err(Head::error(&body, stop)),
                }
            }
        }
    }
}

impl File {
    /// The object that `reference` leads to.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Value;
    /// let references = file.dataset("to_grid")?.values()?;
    /// let Value::Reference(reference) = &references[0] else { panic!() };
    /// assert_eq!(file.dereference(reference)?.address(), file.dataset("grid")?.object().address());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn dereference(&self, reference: &Reference) -> Result<Object> {
        match reference {
            Reference::External { file, reference } => {
                self.other(file, "a reference")?.dereference(reference)
            }
            other => match other.object() {
                Some(address) => self.object_at(address),
                None => Err(Error::NotFound {
                    what: "object",
                    name: "null reference".into(),
                    place: "the file".into(),
                }),
            },
        }
    }
}

/// A global heap ID as an element.
struct HeapId(Option<GlobalHeapId>);

impl Structure for HeapId {
    const NAME: &'static str = "region reference";
    const SPEC: &'static str = "VIII.C";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, collection) = field("collection address", |i| cx.sizes.address(i)).parse(i)?;
        let (i, index) = field("object index", le_u32).parse(i)?;
        let collection = collection.filter(|address| address.0 != 0);
        Ok((i, Self(collection.map(|collection| GlobalHeapId { collection, index }))))
    }
}

/// The heap ID that a region reference of the old kind is.
pub(crate) fn heap_id(file: &File, element: &[u8]) -> Result<Option<GlobalHeapId>> {
    let block = Block { at: 0, data: Bytes::copy_from_slice(element) };
    HeapId::read(&block, file.sizes()).map(|HeapId(id)| id)
}

/// Where the block of a reference of HDF5 1.12 is; none if the element has it itself.
pub(crate) fn revised_place(file: &File, element: &[u8]) -> Result<Option<GlobalHeapId>> {
    let block = Block { at: 0, data: Bytes::copy_from_slice(element) };
    Ok(match Head::read(&block, file.sizes())?.place {
        Place::Heap(HeapId(id)) => id,
        Place::Here(_) => None,
    })
}

impl Structure for Region {
    const NAME: &'static str = "region reference";
    const SPEC: &'static str = "VIII.C";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, address) = field("object address", |i| cx.sizes.defined(i)).parse(i)?;
        let (i, selection) = StoredSelection::parse(i, cx)?;
        Ok((i, Self { object: ObjectAddress(address), selection }))
    }
}

/// "Reference Header", and where the block is.
struct Head {
    kind: u8,
    external: bool,
    place: Place,
}

/// Where the "Reference Block" is.
enum Place {
    /// In the element itself.
    Here(Block),
    Heap(HeapId),
}

const OBJECT2: u8 = 2;
const REGION2: u8 = 3;
const ATTRIBUTE: u8 = 4;

impl Structure for Head {
    const NAME: &'static str = "reference";
    const SPEC: &'static str = "VIII.B";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let at = i;
        let (i, kind) = field("reference type", le_u8).parse(i)?;
        if !(OBJECT2..=ATTRIBUTE).contains(&kind) {
            return unsupported(at, "reference type", kind.into());
        }
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let external = flags & 1 != 0;
        if kind == OBJECT2 && !external {
            let place = Place::Here(cx.keep_block(i));
            return Ok((&[], Self { kind, external, place }));
        }
        // The block's length comes before its heap ID, which the specification does not say.
        let (i, _) = field("size of the block", le_u32).parse(i)?;
        let (i, id) = HeapId::parse(i, cx)?;
        Ok((i, Self { kind, external, place: Place::Heap(id) }))
    }
}

/// "Reference Block".
fn revised<'a>(i: &'a [u8], cx: &Context<'_>, head: &Head) -> Parsed<'a, Reference> {
    let (i, token) = field("token", length_data(le_u8)).parse(i)?;
    let object = ObjectAddress(Address(le_uint(token.get(..8).unwrap_or(token))));
    let name = || length_data(le_u16);
    let (i, file) = field("external file name", cond(head.external, name())).parse(i)?;
    let (i, reference) = match head.kind {
        REGION2 => {
            let (i, _) = field("size and rank of the selection", take(8_usize)).parse(i)?;
            let (i, selection) = StoredSelection::parse(i, cx)?;
            (i, Reference::Region(Region { object, selection }))
        }
        ATTRIBUTE => {
            let (i, name) = field("attribute name", name()).parse(i)?;
            (i, Reference::Attribute { object, name: text(name).into_owned() })
        }
        _ => (i, Reference::Object(object)),
    };
    Ok((
        i,
        match file {
            Some(file) => {
                let file = text(file).into_owned();
                Reference::External { file, reference: Box::new(reference) }
            }
            None => reference,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn blocks_of_each_kind() {
        let head = |kind, external| Head { kind, external, place: Place::Heap(HeapId(None)) };
        let read = |block: &crate::testing::Build, head: &Head| {
            let block = block.block();
            let sizes = crate::parse::Sizes { offsets: 8, lengths: 8 };
            revised(&block.data, &Context::new(sizes, &block), head).unwrap().1
        };
        let token = build().u8(8).u64(96);
        let object = ObjectAddress(Address(96));
        assert_eq!(read(&token, &head(OBJECT2, false)), Reference::Object(object));
        let region = token.clone().u32(16).u32(1).u32(3).u32(1).zeros(8);
        let wanted = Reference::Region(Region { object, selection: StoredSelection::All });
        assert_eq!(read(&region, &head(REGION2, false)), wanted);
        let attribute = token.clone().u16(1).bytes(b"a");
        let wanted = Reference::Attribute { object, name: "a".into() };
        assert_eq!(read(&attribute, &head(ATTRIBUTE, false)), wanted);
        let external = token.u16(4).bytes(b"f.h5");
        let reference = Box::new(Reference::Object(object));
        let wanted = Reference::External { file: "f.h5".into(), reference };
        assert_eq!(read(&external, &head(OBJECT2, true)), wanted);
    }
}
