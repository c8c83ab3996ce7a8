//! Elements that say where something is in the file: they are kept with numbers in the place of
//! addresses, until all objects have theirs.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::heap::GlobalHeapId;
use crate::message::{Datatype, ReferenceKind};
use crate::parse::{Address, le_uint};

/// Objects of the global heap that hold such numbers themselves.
pub(super) type Patches = HashMap<GlobalHeapId, Patch>;

/// What an object of the global heap holds.
#[derive(Debug)]
pub(super) enum Patch {
    /// Elements of a type.
    Elements(Datatype),
    /// The number of an object at this byte, and what does not change.
    Object(usize),
}

/// Where everything is.
pub(super) struct Places<'p> {
    /// The headers of the objects, by number.
    pub(super) headers: &'p [Address],
    /// The first collection of the global heap.
    pub(super) heap: u64,
}

/// Whether elements of that type say where something is.
pub(super) fn has_addresses(datatype: &Datatype) -> bool {
    datatype.any(&|t| matches!(t, Datatype::Variable(_) | Datatype::Reference(_)))
}

impl Places<'_> {
    /// The header of the object numbered `node`; 0 as long as it has no place.
    pub(super) fn header(&self, node: usize) -> Address {
        self.headers.get(node).copied().unwrap_or(Address(0))
    }

    /// Puts addresses in the place of numbers, in all elements.
    pub(super) fn elements(&self, datatype: &Datatype, bytes: &mut [u8]) -> Result<()> {
        if !has_addresses(datatype) {
            return Ok(());
        }
        bytes
            .chunks_exact_mut(datatype.size().max(1))
            .try_for_each(|element| self.element(datatype, element))
    }

    fn element(&self, datatype: &Datatype, bytes: &mut [u8]) -> Result<()> {
        match datatype {
            Datatype::Compound(t) => t.members.iter().try_for_each(|member| {
                let end = member.offset.saturating_add(member.datatype.size());
                let part = bytes.get_mut(member.offset..end).unwrap_or_default();
                self.elements(&member.datatype, part)
            }),
            Datatype::Array(t) => self.elements(&t.base, bytes),
            // A length, and an ID in the heap.
            Datatype::Variable(_) => {
                self.heap_id(bytes.get_mut(4..).unwrap_or_default());
                Ok(())
            }
            Datatype::Reference(t) => match t.kind {
                ReferenceKind::Object => self.object(bytes),
                ReferenceKind::Region => {
                    self.heap_id(bytes);
                    Ok(())
                }
                _ => self.revised(bytes),
            },
            _ => Ok(()),
        }
    }

    /// A reference of HDF5 1.12: type and flags; then the object, behind a length of one byte, or
    /// the length and the heap ID of what says more.
    fn revised(&self, bytes: &mut [u8]) -> Result<()> {
        // All kinds may be in a dataset of one type: the element says its own.
        if let [2, flags, _, object @ ..] = &mut *bytes
            && *flags & 1 == 0
        {
            return self.object(object);
        }
        self.heap_id(bytes.get_mut(6..18).unwrap_or_default());
        Ok(())
    }

    /// An address and a number; the number 0 is no object's.
    fn heap_id(&self, bytes: &mut [u8]) {
        if let Some((address, number)) = bytes.split_first_chunk_mut::<8>()
            && number.iter().any(|byte| *byte != 0)
        {
            *address = (u64::from_le_bytes(*address).saturating_add(self.heap)).to_le_bytes();
        }
    }

    /// One more than the number of an object, or 0.
    fn object(&self, bytes: &mut [u8]) -> Result<()> {
        let Some(number) = le_uint(bytes.get(..8).unwrap_or_default()).checked_sub(1) else {
            return Ok(());
        };
        let header = usize::try_from(number).ok().and_then(|n| self.headers.get(n));
        let header = header.ok_or_else(|| Error::Unwritable {
            place: "a reference".into(),
            reason: "it is to an object of another file".into(),
        })?;
        bytes.iter_mut().zip(header.0.to_le_bytes()).for_each(|(to, from)| *to = from);
        Ok(())
    }

    /// An object of the heap.
    pub(super) fn patch(&self, patch: &Patch, bytes: &mut [u8]) -> Result<()> {
        match patch {
            Patch::Elements(datatype) => self.elements(datatype, bytes),
            Patch::Object(at) => self.object(bytes.get_mut(*at..).unwrap_or_default()),
        }
    }
}
