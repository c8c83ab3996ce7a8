//! Where everything goes, in the order of the table in the module's documentation.

use std::io::{self, SeekFrom};

use bytes::Bytes;

use super::array::Data;
use super::header::{Indexes, header, write_indexes};
use super::relocate::{self, Places};
use super::sink::Sink;
use super::tree::{Kind, Place, Stored};
use super::{Writer, chunks};
use crate::btree::v1::ChunkEntry;
use crate::error::Result;
use crate::message::DataLayout;
use crate::out::{Space, Write};
use crate::parse::Address;
use crate::superblock::Superblock;

/// Bytes of elements that a message has room for.
const MAX_COMPACT: u64 = 65_531;

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
pub(super) struct Storage {
    pub(super) chunks: Vec<ChunkEntry>,
    pub(super) layout: Option<DataLayout>,
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
        return Ok(compact(stored.data.read(MAX_COMPACT)?));
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
        return Ok(compact(Bytes::copy_from_slice(bytes)));
    }
    let address = (!bytes.is_empty()).then(|| space.put(bytes));
    let layout = Some(DataLayout::Contiguous { address, size: Some(bytes.len() as u64) });
    Ok(Storage { chunks: Vec::new(), layout })
}

fn compact(data: Bytes) -> Storage {
    let layout = Some(DataLayout::Compact(data));
    Storage { chunks: Vec::new(), layout }
}

/// What needs chunks.
fn check_unchunked(place: &Place<'_>, stored: &Stored<'_>) -> Result<()> {
    if !stored.filters.is_empty() {
        return Err(place.unwritable("filters need chunks"));
    }
    if stored.is_compact && stored.wanted_bytes() > MAX_COMPACT {
        let reason = format!("compact storage has room for {MAX_COMPACT} bytes");
        return Err(place.unwritable(reason));
    }
    let grows = |(dim, max): (&u64, &Option<u64>)| *max != Some(*dim);
    if stored.space.dims.iter().zip(&stored.space.max_dims).any(grows) {
        return Err(place.unwritable("a dataset that may grow needs chunks"));
    }
    Ok(())
}
