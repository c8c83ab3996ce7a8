//! Headers of objects, and the indexes of what does not lie in them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::array::Data;
use super::layout::Storage;
use super::relocate::{self, Places};
use super::tree::{Attribute, Kind, Link, Node, Stored, Target};
use crate::btree::records::{Named, write_dense};
use crate::btree::v1;
use crate::dataset::ExternalFile;
use crate::error::Result;
use crate::filter::Registry;
use crate::group::LinkTarget;
use crate::header::Messages;
use crate::heap::{FractalHeapKind, GlobalHeapId, write_local};
use crate::message::{
    AttributeInfo, AttributeMessage, ChunkIndexing, ChunkedLayout, DataLayout, Datatype,
    ExternalFiles, FillValue, FilterPipeline, GroupInfo, LinkInfo, LinkMessage, ObjectComment,
    ReferenceCount, Shared, Slot,
};
use crate::object::ObjectAddress;
use crate::out::{Space, Write};
use crate::parse::Address;
use crate::storage::Block;

/// Links of a group, or attributes of an object, beyond which they are stored densely: the
/// library's default, which it keeps to when it goes on editing the file.
const MOST_COMPACT: usize = 8;

/// Links and attributes beyond this length are stored densely: a message in a header has 16 bits
/// for it.
const MAX_MESSAGE: usize = 65_535;

/// Where the indexes of an object are.
#[derive(Default)]
pub(super) struct Indexes {
    links: Option<(Address, Address)>,
    attributes: Option<(Address, Address)>,
    chunks: Option<Address>,
    external: Option<ExternalFiles>,
}

pub(super) fn write_indexes(
    node: &Node<'_>,
    storage: &Storage,
    places: &Places<'_>,
    space: &mut Space,
) -> Result<Indexes> {
    let mut indexes = Indexes::default();
    if let Kind::Dataset(stored) = &node.kind
        && let Some(dims) = &stored.chunks
    {
        let element = stored.datatype.size() as u64;
        indexes.chunks = v1::write_chunks(&storage.chunks, dims, element, space)?;
    }
    if let Kind::Dataset(stored) = &node.kind
        && let Data::External(files) = &stored.data
    {
        let names: Vec<Bytes> = files.iter().map(|file| file.name.clone()).collect();
        let (heap, offsets) = write_local(&names, space);
        indexes.external = Some(external(files, heap, &offsets));
    }
    if let Kind::Group(links) = &node.kind
        && are_dense(links)
    {
        let mut named = Vec::with_capacity(links.len());
        for (name, one) in links {
            let message = link(node, name, one, places).to_bytes()?;
            named.push(Named { name: name.to_vec(), message, creation_order: None });
        }
        indexes.links = Some(write_dense(FractalHeapKind::Links, &named, space)?);
    }
    if has_dense_attributes(node) {
        let mut named = Vec::with_capacity(node.attributes.len());
        for (name, one) in &node.attributes {
            let message = attribute(name, one, places)?.to_bytes()?;
            let creation_order = node.attribute_order.then_some(one.order);
            named.push(Named { name: name.to_vec(), message, creation_order });
        }
        indexes.attributes = Some(write_dense(FractalHeapKind::Attributes, &named, space)?);
    }
    Ok(indexes)
}

/// The list of raw files, whose names are at `offsets` of a local heap.
fn external(files: &[ExternalFile], heap: Address, offsets: &[u64]) -> ExternalFiles {
    let slot = |(file, name): (&ExternalFile, &u64)| Slot {
        name: *name,
        offset: file.offset,
        size: file.size,
    };
    ExternalFiles { heap, slots: files.iter().zip(offsets).map(slot).collect() }
}

fn are_dense(links: &BTreeMap<Bytes, Link>) -> bool {
    let len = |(name, link): (&Bytes, &Link)| {
        let value = match &link.target {
            Target::Other(LinkTarget::Soft(path)) => path.len(),
            Target::Other(LinkTarget::External { file, path }) => file.len() + path.len(),
            Target::Other(LinkTarget::UserDefined { data, .. }) => data.len(),
            Target::Node(_) | Target::Other(LinkTarget::Hard(_)) => 8,
        };
        name.len() + value + 32
    };
    links.len() > MOST_COMPACT || links.iter().map(len).any(|len| len > MAX_MESSAGE)
}

fn has_dense_attributes(node: &Node<'_>) -> bool {
    let len = |(name, one): (&Bytes, &Attribute)| {
        name.len() + one.datatype_message.len() + one.dataspace_message.len() + one.data.len() + 32
    };
    node.attributes.len() > MOST_COMPACT
        || node.attributes.iter().map(len).any(|len| len > MAX_MESSAGE)
}

/// The header of an object.
pub(super) fn header(
    node: &Node<'_>,
    filters: &Registry,
    storage: &Storage,
    indexes: &Indexes,
    places: &Places<'_>,
) -> Result<Vec<u8>> {
    let mut messages = Messages::new(node.attribute_order);
    match &node.kind {
        Kind::Group(links) => {
            let (heap, name_index) = indexes.links.unzip();
            let next = node.link_order.then_some(links.len() as u64);
            messages.add(&LinkInfo { next, heap, name_index })?;
            messages.add(&GroupInfo)?;
            if !are_dense(links) {
                for (name, one) in links {
                    messages.add(&link(node, name, one, places))?;
                }
            }
        }
        Kind::Dataset(stored) => {
            messages.add(&stored.space)?;
            match stored.committed {
                Some(node) => messages.add_shared::<Datatype>(shared(node, places))?,
                None => messages.add(&stored.datatype)?,
            }
            messages.add(&FillValue { value: stored.fill.clone() })?;
            messages.add(&layout(stored, storage, indexes, places))?;
            if let Data::External(files) = &stored.data {
                let unplaced = || external(files, Address(0), &vec![0; files.len()]);
                messages.add(indexes.external.as_ref().unwrap_or(&unplaced()))?;
            }
            if !stored.filters.is_empty() {
                messages.add(&FilterPipeline { filters: stored.pipeline(filters)? })?;
            }
        }
        Kind::Datatype(datatype) => messages.add(datatype)?,
    }
    if let Some(comment) = &node.comment {
        messages.add(&ObjectComment(comment.clone()))?;
    }
    if node.links > 1 {
        messages.add(&ReferenceCount(node.links))?;
    }
    if !node.attributes.is_empty() {
        // Compact ones too: without it, the library counts none.
        let (heap, name_index) = indexes.attributes.unzip();
        let next = u16::try_from(node.attributes.len()).unwrap_or(u16::MAX);
        let next = node.attribute_order.then_some(next);
        messages.add(&AttributeInfo { next, heap, name_index })?;
    }
    if !has_dense_attributes(node) {
        for (name, one) in &node.attributes {
            // There are few: the others are stored densely.
            let order = u16::try_from(one.order).unwrap_or(u16::MAX);
            messages.add_ordered(order, &attribute(name, one, places)?)?;
        }
    }
    messages.into_header()
}

fn layout(
    stored: &Stored<'_>,
    storage: &Storage,
    indexes: &Indexes,
    places: &Places<'_>,
) -> DataLayout {
    let element = stored.datatype.size() as u64;
    match (&storage.layout, &stored.chunks) {
        (Some(DataLayout::Virtual(Some(id))), _) => {
            let collection = Address(id.collection.0.saturating_add(places.heap));
            DataLayout::Virtual(Some(GlobalHeapId { collection, ..*id }))
        }
        (Some(layout), _) => layout.clone(),
        (None, Some(dims)) => DataLayout::Chunked(ChunkedLayout {
            dims: dims.clone(),
            element,
            edges_unfiltered: false,
            indexing: ChunkIndexing::BTreeV1,
            address: indexes.chunks,
        }),
        // As long as it will be.
        (None, None) if stored.is_compact => {
            DataLayout::Compact(stored.data.memory().unwrap_or_default().to_vec().into())
        }
        (None, None) => DataLayout::Contiguous { address: None, size: None },
    }
}

/// A datatype that stands in the header of an object.
fn shared(node: usize, places: &Places<'_>) -> Shared {
    Shared::Committed(places.header(node))
}

fn link(node: &Node<'_>, name: &Bytes, link: &Link, places: &Places<'_>) -> LinkMessage {
    let target = match &link.target {
        Target::Node(node) => LinkTarget::Hard(ObjectAddress(places.header(*node))),
        Target::Other(target) => target.clone(),
    };
    let creation_order = node.link_order.then_some(link.order);
    LinkMessage { name: name.clone(), creation_order, target }
}

fn attribute(name: &Bytes, one: &Attribute, places: &Places<'_>) -> Result<AttributeMessage> {
    let mut data = one.data.clone();
    if relocate::has_addresses(&one.datatype) && !places.headers.is_empty() {
        let mut bytes = data.to_vec();
        places.elements(&one.datatype, &mut bytes)?;
        data = bytes.into();
    }
    let datatype = match one.committed {
        Some(node) => shared(node, places).to_bytes()?.into(),
        None => one.datatype_message.clone(),
    };
    let block = |data: Bytes| Block { at: 0, data };
    Ok(AttributeMessage {
        name: block(name.clone()),
        datatype: block(datatype),
        datatype_is_shared: one.committed.is_some(),
        dataspace: block(one.dataspace_message.clone()),
        dataspace_is_shared: false,
        data: block(data),
    })
}
