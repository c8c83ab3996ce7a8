//! Where everything goes, in the order of the table in the module's documentation.

use std::collections::BTreeMap;
use std::io::{self, SeekFrom};

use bytes::Bytes;

use super::array::Data;
use super::relocate::{self, Places};
use super::sink::Sink;
use super::tree::{Attribute, Kind, Node, Place, Stored, Target};
use super::{Writer, chunks};
use crate::btree::records::{Named, write_dense};
use crate::btree::v1::{self, ChunkEntry};
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
use crate::superblock::Superblock;

/// Links of a group, or attributes of an object, beyond which they are stored densely: the
/// library's default, which it keeps to when it goes on editing the file.
const MOST_COMPACT: usize = 8;

/// Links and attributes beyond this length are stored densely: a message in a header has 16 bits
/// for it.
const MAX_MESSAGE: usize = 65_535;

/// Raw data from [`ALIGNED_FROM`] bytes on starts at a multiple of this: the width of the widest
/// vectors, and a line of the cache.
const ALIGNMENT: u64 = 64;
const ALIGNED_FROM: u64 = 512;

/// Writes front to back.
pub(super) fn write(writer: &Writer<'_>, out: &mut dyn io::Write) -> Result<()> {
    let mut sink = Sink::later(Superblock::LEN);
    let metadata = lay_out(writer, &mut sink)?;
    out.write_all(&metadata.superblock)?;
    sink.finish(out)?;
    out.write_all(&metadata.rest)?;
    Ok(())
}

/// Writes raw data as it comes, and the superblock last.
pub(super) fn write_seek<W: io::Write + io::Seek>(writer: &Writer<'_>, out: &mut W) -> Result<()> {
    let start = out.stream_position()?;
    out.write_all(&[0; 48])?;
    let metadata = lay_out(writer, &mut Sink::now(Superblock::LEN, out))?;
    out.write_all(&metadata.rest)?;
    let end = out.stream_position()?;
    out.seek(SeekFrom::Start(start))?;
    out.write_all(&metadata.superblock)?;
    out.seek(SeekFrom::Start(end))?;
    Ok(())
}

struct Metadata {
    superblock: Vec<u8>,
    /// What comes behind the raw data, padding before it included.
    rest: Vec<u8>,
}

/// How the elements of a dataset are stored, while that comes to be known.
#[derive(Default)]
struct Storage {
    chunks: Vec<ChunkEntry>,
    layout: Option<DataLayout>,
}

fn lay_out<'p>(writer: &'p Writer<'_>, sink: &mut Sink<'p, '_>) -> Result<Metadata> {
    let mut storages: Vec<Storage> = Vec::new();
    for (at, node) in writer.nodes.iter().enumerate() {
        let place = Place { writer, at };
        storages.push(match &node.kind {
            Kind::Dataset(stored) if !is_late(stored) => raw_data(&place, stored, sink)?,
            _ => Storage::default(),
        });
    }
    let mut space = Space::new(sink.end());
    let mut padding = vec![0; usize::try_from(space.start() - sink.end()).unwrap_or(0)];

    // The headers are as long with addresses as without.
    let no_places = Places { headers: &[], heap: 0 };
    let mut headers = Vec::new();
    for (node, storage) in writer.nodes.iter().zip(&storages) {
        let indexes = Indexes::default();
        let header = header(node, &writer.filters, storage, &indexes, &no_places)?;
        headers.push(space.reserve(header.len()));
    }
    let heap = space.next().0;
    let places = Places { headers: &headers, heap };
    let collections = writer.heap.write(|id, object| match writer.patches.get(&id) {
        Some(patch) => places.patch(patch, object),
        None => Ok(()),
    })?;
    space.put(&collections);

    // Elements with addresses.
    for ((at, node), storage) in writer.nodes.iter().enumerate().zip(&mut storages) {
        let place = Place { writer, at };
        if let Kind::Dataset(stored) = &node.kind
            && is_late(stored)
        {
            let mut bytes = stored.data.memory().unwrap_or_default().to_vec();
            places.elements(&stored.datatype, &mut bytes)?;
            *storage = late_data(&place, stored, &bytes, &mut space)?;
        }
    }

    for ((node, storage), at) in writer.nodes.iter().zip(&mut storages).zip(&headers) {
        let indexes = write_indexes(node, storage, &places, &mut space)?;
        let header = header(node, &writer.filters, storage, &indexes, &places)?;
        space.fill(*at, &header);
    }
    let root = headers.first().copied().unwrap_or(Address(0));
    let end = space.next().0;
    padding.extend_from_slice(space.bytes());
    Ok(Metadata { superblock: Superblock::of(root, end).to_bytes()?, rest: padding })
}

/// Whether the elements have to wait until all objects have their addresses.
fn is_late(stored: &Stored<'_>) -> bool {
    relocate::has_addresses(&stored.datatype) && stored.data.memory().is_some()
}

/// Puts the elements of a dataset into the raw data.
fn raw_data<'p>(
    place: &Place<'p>,
    stored: &'p Stored<'_>,
    sink: &mut Sink<'p, '_>,
) -> Result<Storage> {
    let layout = match &stored.data {
        Data::Chunks(raw) => {
            let chunks = chunks::copy(raw, stored, sink)?;
            return Ok(Storage { chunks, layout: None });
        }
        Data::Virtual(id) => Some(DataLayout::Virtual(*id)),
        Data::Absent if stored.chunks.is_some() => {
            chunks::check(place, stored)?;
            None
        }
        Data::Absent | Data::External(_) => {
            if let Data::Absent = stored.data {
                check_unchunked(place, stored)?;
            }
            let size = Some(stored.wanted_bytes());
            Some(DataLayout::Contiguous { address: None, size })
        }
        _ if stored.chunks.is_some() => {
            let chunks = chunks::write(place, stored, sink)?;
            return Ok(Storage { chunks, layout: None });
        }
        _ => return unchunked(place, stored, sink),
    };
    Ok(Storage { chunks: Vec::new(), layout })
}

/// As [`raw_data`], for elements in one piece.
fn unchunked<'p>(
    place: &Place<'_>,
    stored: &'p Stored<'_>,
    sink: &mut Sink<'p, '_>,
) -> Result<Storage> {
    check_unchunked(place, stored)?;
    let len = stored.data.len().unwrap_or(0);
    if stored.is_compact {
        return match &stored.data {
            // No more than a message holds: it is refused below.
            Data::Source(source) => {
                let len = usize::try_from(len.min(1 << 17)).unwrap_or(0);
                Ok(compact(&source.read_at(0, len)?))
            }
            data => Ok(compact(data.memory().unwrap_or_default())),
        };
    }
    let address = if len == 0 {
        None
    } else {
        sink.align(if len < ALIGNED_FROM { 8 } else { ALIGNMENT })?;
        Some(sink.data(&stored.data)?)
    };
    let layout = Some(DataLayout::Contiguous { address, size: Some(len) });
    Ok(Storage { chunks: Vec::new(), layout })
}

/// As [`raw_data`], for elements whose addresses are in place.
fn late_data(
    place: &Place<'_>,
    stored: &Stored<'_>,
    bytes: &[u8],
    space: &mut Space,
) -> Result<Storage> {
    if stored.chunks.is_some() {
        let chunks = chunks::write_late(place, stored, bytes, space)?;
        return Ok(Storage { chunks, layout: None });
    }
    check_unchunked(place, stored)?;
    if stored.is_compact {
        return Ok(compact(bytes));
    }
    let address = (!bytes.is_empty()).then(|| space.put(bytes));
    let layout = Some(DataLayout::Contiguous { address, size: Some(bytes.len() as u64) });
    Ok(Storage { chunks: Vec::new(), layout })
}

fn compact(data: &[u8]) -> Storage {
    let layout = Some(DataLayout::Compact(Bytes::copy_from_slice(data)));
    Storage { chunks: Vec::new(), layout }
}

/// What needs chunks.
fn check_unchunked(place: &Place<'_>, stored: &Stored<'_>) -> Result<()> {
    if !stored.filters.is_empty() {
        return Err(place.unwritable("filters need chunks"));
    }
    let grows = |(dim, max): (&u64, &Option<u64>)| *max != Some(*dim);
    if stored.space.dims.iter().zip(&stored.space.max_dims).any(grows) {
        return Err(place.unwritable("a dataset that may grow needs chunks"));
    }
    Ok(())
}

/// Where the indexes of an object are.
#[derive(Default)]
struct Indexes {
    links: Option<(Address, Address)>,
    attributes: Option<(Address, Address)>,
    chunks: Option<Address>,
    external: Option<ExternalFiles>,
}

fn write_indexes(
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
        for (name, target) in links {
            let message = link(name, target, places).to_bytes()?;
            named.push(Named { name: name.to_vec(), message });
        }
        indexes.links = Some(write_dense(FractalHeapKind::Links, &named, space)?);
    }
    if has_dense_attributes(node) {
        let mut named = Vec::with_capacity(node.attributes.len());
        for (name, one) in &node.attributes {
            let message = attribute(name, one, places)?.to_bytes()?;
            named.push(Named { name: name.to_vec(), message });
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

fn are_dense(links: &BTreeMap<Bytes, Target>) -> bool {
    let len = |(name, target): (&Bytes, &Target)| {
        let value = match target {
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
fn header(
    node: &Node<'_>,
    filters: &Registry,
    storage: &Storage,
    indexes: &Indexes,
    places: &Places<'_>,
) -> Result<Vec<u8>> {
    let mut messages = Messages::default();
    match &node.kind {
        Kind::Group(links) => {
            let (heap, name_index) = indexes.links.unzip();
            messages.add(&LinkInfo { heap, name_index })?;
            messages.add(&GroupInfo)?;
            if !are_dense(links) {
                for (name, target) in links {
                    messages.add(&link(name, target, places))?;
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
        messages.add(&AttributeInfo { heap, name_index })?;
    }
    if !has_dense_attributes(node) {
        for (name, one) in &node.attributes {
            messages.add(&attribute(name, one, places)?)?;
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

fn link(name: &Bytes, target: &Target, places: &Places<'_>) -> LinkMessage {
    let target = match target {
        Target::Node(node) => LinkTarget::Hard(ObjectAddress(places.header(*node))),
        Target::Other(target) => target.clone(),
    };
    LinkMessage { name: name.clone(), creation_order: None, target }
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
