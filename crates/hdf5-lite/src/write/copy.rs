//! Objects of other files.

use std::collections::HashMap;

use bytes::Bytes;

use super::array::Data;
use super::relocate::{Patch, has_addresses};
use super::tree::{Attribute, Kind, Node, Stored, Target};
use super::{Writer, tree, value};
use crate::dataset::{Dataset, Raw};
use crate::element;
use crate::error::{Error, Result};
use crate::file::File;
use crate::group::{Link, LinkTarget};
use crate::message::{
    Datatype, LinkInfo, Member, ObjectComment, ReferenceKind, VARIABLE_SIZE, VariableKind,
};
use crate::object::{self, Object, ObjectAddress};
use crate::parse::{Address, le_uint};
use crate::reference::{heap_id, revised_place};

/// Adds a copy of `object`, and of all that hard links lead to from it.
pub(super) fn object(
    writer: &mut Writer<'_>,
    object: &Object,
    parent: usize,
    name: &[u8],
) -> Result<()> {
    let mut copy =
        Copy { writer, file: object.file().clone(), numbers: HashMap::new(), found: Vec::new() };
    copy.add(object, parent, name)?;
    // All objects are known, and have numbers, before the first reference is copied.
    let mut next = 0;
    while let Some((number, address)) = copy.found.get(next).copied() {
        copy.links(number, address)?;
        next += 1;
    }
    for (number, address) in std::mem::take(&mut copy.found) {
        copy.fill(number, &copy.file.object_at(address)?)?;
    }
    Ok(())
}

struct Copy<'w, 'a> {
    writer: &'w mut Writer<'a>,
    file: File,
    /// The numbers that objects have in the writer.
    numbers: HashMap<ObjectAddress, usize>,
    found: Vec<(usize, ObjectAddress)>,
}

impl Copy<'_, '_> {
    /// A node for `object`, still empty.
    fn add(&mut self, object: &Object, parent: usize, name: &[u8]) -> Result<usize> {
        let number = self.writer.nodes.len();
        self.file.limits().ask_entries("objects of a copy", self.found.len())?;
        let kind = match object.clone().into_node()? {
            object::Node::Group(_) => Kind::Group(std::collections::BTreeMap::new()),
            object::Node::Dataset(dataset) => Kind::Dataset(Box::new(Stored {
                datatype: self.datatype(dataset.datatype())?,
                committed: None,
                space: dataset.dataspace().clone(),
                data: Data::Absent,
                chunks: dataset.chunks().map(<[u64]>::to_vec),
                filters: dataset.filters()?,
                fill: Bytes::new(),
                is_compact: false,
            })),
            object::Node::Datatype(committed) => {
                Kind::Datatype(self.datatype(committed.datatype())?)
            }
        };
        self.numbers.insert(object.address(), number);
        self.found.push((number, object.address()));
        self.writer.nodes.push(Node::new(parent, name, kind));
        Ok(number)
    }

    /// The links of a group, and nodes for what hard ones lead to.
    fn links(&mut self, number: usize, address: ObjectAddress) -> Result<()> {
        let object = self.file.object_at(address)?;
        let object::Node::Group(group) = object.into_node()? else { return Ok(()) };
        let info = group.object().header().find::<LinkInfo>(&self.file)?;
        let mut found = group.links()?;
        // Numbered anew: links that are gone left gaps.
        found.sort_by_key(Link::creation_order);
        for (link, order) in found.into_iter().zip(0..) {
            let target = match link.target() {
                LinkTarget::Hard(address) => {
                    if let Some(number) = self.numbers.get(address).copied() {
                        self.writer.count_link(number);
                        Target::Node(number)
                    } else {
                        let object = self.file.object_at(*address)?;
                        Target::Node(self.add(&object, number, link.name_bytes())?)
                    }
                }
                other => Target::Other(other.clone()),
            };
            if let Some(Node { kind: Kind::Group(links), .. }) = self.writer.nodes.get_mut(number) {
                let name = Bytes::copy_from_slice(link.name_bytes());
                if links.insert(name, tree::Link { target, order }).is_some() {
                    // Of a damaged group; a file has room for one of them.
                    return Err(self.writer.exists("link", number, &link.name()));
                }
            }
        }
        if let Some(node) = self.writer.nodes.get_mut(number) {
            node.link_order = info.is_some_and(|info| info.next.is_some());
        }
        Ok(())
    }

    /// Elements, attributes and comment of an object.
    fn fill(&mut self, number: usize, object: &Object) -> Result<()> {
        let mut attributes = std::collections::BTreeMap::new();
        let mut found = object.attrs()?;
        found.sort_by_key(crate::Attribute::creation_order);
        for (order, attribute) in found.into_iter().enumerate() {
            let datatype = self.datatype(attribute.datatype())?;
            let mut data = Vec::new();
            self.elements(attribute.datatype(), &attribute.bytes()?, &mut data)?;
            let name = Bytes::copy_from_slice(attribute.name_bytes());
            let committed = self.committed(attribute.committed);
            let stored = Attribute::new(order, datatype, committed, attribute.dataspace(), data)?;
            if attributes.insert(name, stored).is_some() {
                return Err(self.writer.exists("attribute", number, &attribute.name()));
            }
        }
        let filled = match object.clone().into_node()? {
            object::Node::Dataset(dataset) => {
                Some((self.data(&dataset)?, self.committed(dataset.committed()?)))
            }
            _ => None,
        };
        let comment = object.header().find::<ObjectComment>(&self.file)?;
        let Some(node) = self.writer.nodes.get_mut(number) else { return Ok(()) };
        node.attributes = attributes;
        node.attribute_order = object.header().ordered;
        node.comment = comment.map(|comment| comment.0);
        if let (Kind::Dataset(stored), Some((filled, committed))) = (&mut node.kind, filled) {
            (stored.data, stored.fill, stored.is_compact) = filled;
            stored.committed = committed;
        }
        Ok(())
    }

    /// The number of the committed datatype at an address, if it is copied; it gets a link more.
    fn committed(&mut self, address: Option<Address>) -> Option<usize> {
        let number = *self.numbers.get(&ObjectAddress(address?))?;
        self.writer.count_link(number);
        Some(number)
    }

    /// The elements of a dataset as they are stored, its fill value, whether it is compact.
    fn data(&mut self, dataset: &Dataset) -> Result<(Data<'static>, Bytes, bool)> {
        let datatype = dataset.datatype();
        let raw = dataset.raw()?;
        let is_compact = matches!(raw, Raw::Compact(_));
        let is_there = match &raw {
            Raw::Compact(_) | Raw::Contiguous(_) => true,
            Raw::Chunks(chunks) => !chunks.is_empty(),
            _ => false,
        };
        if has_addresses(datatype) && is_there {
            let mut elements = Vec::new();
            self.elements(datatype, &dataset.bytes()?, &mut elements)?;
            // A fill value would hold addresses of the other file.
            return Ok((Data::Memory(elements.into()), Bytes::new(), is_compact));
        }
        let fill = if has_addresses(datatype) { None } else { dataset.fill_value()? };
        let data = match raw {
            Raw::Compact(bytes) => Data::Shared(bytes),
            Raw::Contiguous(window) => Data::Source(Box::new(window)),
            Raw::Absent => Data::Absent,
            Raw::External(files) => Data::External(files),
            Raw::Chunks(chunks) => Data::Chunks(chunks),
            Raw::Virtual(None) => Data::Virtual(None),
            Raw::Virtual(Some(_)) if self.file.address_and_length_sizes() != (8, 8) => {
                return Err(unsupported("virtual dataset", "size of lengths"));
            }
            Raw::Virtual(Some(mappings)) => {
                Data::Virtual(Some(self.writer.heap.add(mappings.into())))
            }
        };
        Ok((data, fill.unwrap_or_default(), is_compact))
    }

    /// The type with the sizes of addresses that are written.
    fn datatype(&self, datatype: &Datatype) -> Result<Datatype> {
        if self.file.address_and_length_sizes().0 == 8 || !has_addresses(datatype) {
            return Ok(datatype.clone());
        }
        let mut new = datatype.clone();
        match &mut new {
            Datatype::Variable(t) => {
                t.size = VARIABLE_SIZE;
                *t.base = self.datatype(&t.base)?;
            }
            Datatype::Reference(t) => match t.kind {
                ReferenceKind::Object => t.size = 8,
                ReferenceKind::Region => t.size = 12,
                _ => return Err(unsupported("reference of HDF5 1.12", "size of offsets")),
            },
            Datatype::Array(t) => {
                *t.base = self.datatype(&t.base)?;
                let size = t.dims.iter().fold(t.base.size(), |n, dim| {
                    n.saturating_mul(usize::try_from(*dim).unwrap_or(usize::MAX))
                });
                t.size = u32::try_from(size).unwrap_or(u32::MAX);
            }
            Datatype::Compound(t) => {
                // Each member moves by what those before it have grown.
                let mut order: Vec<&mut Member> = t.members.iter_mut().collect();
                order.sort_by_key(|member| member.offset);
                let mut grown = 0;
                for member in order {
                    let before = member.datatype.size();
                    member.datatype = self.datatype(&member.datatype)?;
                    member.offset = member.offset.saturating_add(grown);
                    grown += member.datatype.size().saturating_sub(before);
                }
                let grown = u32::try_from(grown).unwrap_or(u32::MAX);
                t.size = t.size.saturating_add(grown);
            }
            _ => {}
        }
        Ok(new)
    }

    /// Appends elements of type `datatype` of the other file, as the writer keeps them.
    fn elements(&mut self, datatype: &Datatype, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if !has_addresses(datatype) {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        let new = self.datatype(datatype)?;
        for element in bytes.chunks_exact(datatype.size().max(1)) {
            let start = out.len();
            self.element(datatype, &new, element, out)?;
            out.resize(start + new.size(), 0);
        }
        Ok(())
    }

    fn element(
        &mut self,
        old: &Datatype,
        new: &Datatype,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match (old, new) {
            (Datatype::Compound(old), Datatype::Compound(new)) => {
                let start = out.len();
                for (old, new) in old.members.iter().zip(&new.members) {
                    let end = old.offset.saturating_add(old.datatype.size());
                    let part = bytes.get(old.offset..end).unwrap_or_default();
                    let mut member = Vec::new();
                    self.elements(&old.datatype, part, &mut member)?;
                    let at = start + new.offset;
                    out.resize(out.len().max(at + member.len()), 0);
                    if let Some(place) = out.get_mut(at..at + member.len()) {
                        place.copy_from_slice(&member);
                    }
                }
                Ok(())
            }
            (Datatype::Array(t), _) => self.elements(&t.base, bytes, out),
            (Datatype::Variable(t), _) => {
                let size = if t.kind == VariableKind::String { 1 } else { t.base.size() };
                let values = element::variable(&self.file, bytes, size)?.unwrap_or_default();
                let len = values.len() / size.max(1);
                let mut object = Vec::new();
                self.elements(&t.base, &values, &mut object)?;
                let base = self.datatype(&t.base)?;
                let patch = has_addresses(&base).then_some(Patch::Elements(base));
                value::heap_object(self.writer, len, object, patch, out)
            }
            (Datatype::Reference(t), _) => self.reference(t.kind, bytes, out),
            _ => {
                out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn reference(&mut self, kind: ReferenceKind, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let offsets = usize::from(self.file.address_and_length_sizes().0);
        match kind {
            ReferenceKind::Object => {
                out.extend_from_slice(&self.token(bytes));
                Ok(())
            }
            ReferenceKind::Region => {
                let Some(id) = heap_id(&self.file, bytes)? else { return Ok(()) };
                let object = self.file.global_heap(id)?.data;
                let (address, selection) =
                    object.split_at_checked(offsets).unwrap_or((&object, &[]));
                self.region(0, &self.token(address), selection, out);
                Ok(())
            }
            _ => self.revised(bytes, out),
        }
    }

    /// A reference of HDF5 1.12; see [`Places`](super::relocate::Places).
    fn revised(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let (head, rest) = bytes.split_at_checked(2).unwrap_or((bytes, &[]));
        let is_external = head.get(1).is_some_and(|flags| flags & 1 != 0);
        out.extend_from_slice(head);
        let Some(id) = revised_place(&self.file, bytes)? else {
            // The object stands in the element itself.
            let (len, token) = rest.split_at_checked(1).unwrap_or((rest, &[]));
            out.extend_from_slice(len);
            out.extend_from_slice(&self.token(token.get(..8).unwrap_or(token)));
            return Ok(());
        };
        let block = self.file.global_heap(id)?.data;
        out.extend_from_slice(rest.get(..4).unwrap_or_default());
        let (len, rest) = block.split_at_checked(1).unwrap_or((&block, &[]));
        let (token, more) = rest.split_at_checked(8).unwrap_or((rest, &[]));
        if is_external {
            // The address is one of the other file.
            self.heap_id(block.to_vec(), None, out);
        } else {
            let object = [len, &self.token(token), more].concat();
            self.heap_id(object, Some(Patch::Object(1)), out);
        }
        Ok(())
    }

    fn region(&mut self, at: usize, token: &[u8], selection: &[u8], out: &mut Vec<u8>) {
        self.heap_id([token, selection].concat(), Some(Patch::Object(at)), out);
    }

    fn heap_id(&mut self, object: Vec<u8>, patch: Option<Patch>, out: &mut Vec<u8>) {
        let id = self.writer.heap.add(object);
        out.extend_from_slice(&id.collection.0.to_le_bytes());
        out.extend_from_slice(&id.index.to_le_bytes());
        self.writer.patches.extend(patch.map(|patch| (id, patch)));
    }

    /// One more than the number of the object at an address; 0 if it is not copied.
    fn token(&self, address: &[u8]) -> [u8; 8] {
        let address = ObjectAddress(Address(le_uint(address)));
        let number = self.numbers.get(&address).map_or(0, |number| *number as u64 + 1);
        number.to_le_bytes()
    }
}

fn unsupported(structure: &'static str, field: &'static str) -> Error {
    Error::Unsupported { structure, field, found: 4 }
}
