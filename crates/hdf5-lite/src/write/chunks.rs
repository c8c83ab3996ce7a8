//! Elements cut into chunks, and these through the filters.

use std::borrow::Cow;
use std::io;
use std::rc::Rc;

use super::array::Data;
use super::sink::Sink;
use super::tree::{Place, Stored};
use crate::btree::v1::ChunkEntry;
use crate::dataset::RawChunk;
use crate::error::{Error, Result};
use crate::filter::Registry;
use crate::message::FilterInfo;
use crate::out::Space;
use crate::parse::Address;

/// Bytes of chunks in work at one time; a larger chunk is alone.
const BATCH_BYTES: usize = 1 << 22;

/// How a dataset is cut.
pub(super) struct Grid<'s> {
    /// Elements along each axis, of the dataset and of a chunk.
    shape: &'s [u64],
    chunk: &'s [u64],
    /// Bytes of an element and of a whole chunk.
    element: usize,
    chunk_bytes: usize,
    /// Bytes of all elements at one position of the first axis.
    row: u64,
    /// One element that fills what chunks have beyond the dataset; empty for zeros.
    fill: &'s [u8],
    filters: Vec<FilterInfo>,
    registry: &'s Registry,
}

/// Some rows of the dataset: all of its elements that chunks at one place of the first axis hold.
struct Slab<'d> {
    first: u64,
    rows: u64,
    bytes: Cow<'d, [u8]>,
}

/// Says whether the chunks of a dataset make sense.
pub(super) fn check(place: &Place<'_>, stored: &Stored<'_>) -> Result<()> {
    Grid::new(stored, &place.writer.filters).map(drop).map_err(|reason| place.unwritable(reason))
}

/// Writes the chunks of a dataset in row-major order. Those without filters are cut when they are
/// written; it is known before where they will be.
pub(super) fn write<'p>(
    place: &Place<'p>,
    stored: &'p Stored<'_>,
    sink: &mut Sink<'p, '_>,
) -> Result<Vec<ChunkEntry>> {
    let grid =
        Grid::new(stored, &place.writer.filters).map_err(|reason| place.unwritable(reason))?;
    if !grid.filters.is_empty() {
        return encode(&grid, &stored.data, &mut |bytes| sink.owned(bytes));
    }
    let mut entries = Vec::new();
    let grid = Rc::new(grid);
    for (first, rows) in grid.slabs() {
        let cut = Cut { grid: grid.clone(), data: &stored.data, first, rows };
        let starts: Vec<_> = grid.places(first).collect();
        let (size, number) = (grid.chunk_bytes as u64, starts.len() as u64);
        let Address(at) = sink.cut(cut, size.saturating_mul(number))?;
        for (offsets, address) in starts.into_iter().zip((at..).step_by(grid.chunk_bytes)) {
            let size = u32::try_from(size).map_err(|_| too_large(size))?;
            entries.push(ChunkEntry { size, mask: 0, offsets, address: Address(address) });
        }
    }
    Ok(entries)
}

/// Writes the chunks of a dataset whose elements are in memory, as `bytes`.
pub(super) fn write_late(
    place: &Place<'_>,
    stored: &Stored<'_>,
    bytes: &[u8],
    space: &mut Space,
) -> Result<Vec<ChunkEntry>> {
    let grid =
        Grid::new(stored, &place.writer.filters).map_err(|reason| place.unwritable(reason))?;
    encode(&grid, &Data::Memory(bytes.into()), &mut |bytes| Ok(space.put(&bytes)))
}

/// Chunks that are still to be cut.
pub(super) struct Cut<'p> {
    grid: Rc<Grid<'p>>,
    data: &'p Data<'p>,
    first: u64,
    rows: u64,
}

impl Cut<'_> {
    pub(super) fn write(&self, out: &mut dyn io::Write) -> Result<()> {
        let slab = self.grid.slab(self.first, self.rows, self.data)?;
        for start in self.grid.places(self.first) {
            out.write_all(&self.grid.cut(&slab, &start))?;
        }
        Ok(())
    }
}

/// Puts all chunks through the filters.
fn encode(
    grid: &Grid<'_>,
    data: &Data<'_>,
    put: &mut dyn FnMut(Vec<u8>) -> Result<Address>,
) -> Result<Vec<ChunkEntry>> {
    let mut entries = Vec::new();
    let batch = (BATCH_BYTES / grid.chunk_bytes).max(1);
    for (first, rows) in grid.slabs() {
        let slab = grid.slab(first, rows, data)?;
        let mut places = grid.places(first);
        loop {
            let starts: Vec<Vec<u64>> = places.by_ref().take(batch).collect();
            if starts.is_empty() {
                break;
            }
            for (offsets, encoded) in starts.iter().zip(grid.encode(&slab, &starts)) {
                let (mask, bytes) = encoded?;
                let size = u32::try_from(bytes.len());
                let size = size.map_err(|_| too_large(bytes.len() as u64))?;
                let address = put(bytes)?;
                entries.push(ChunkEntry { size, mask, offsets: offsets.clone(), address });
            }
        }
    }
    Ok(entries)
}

/// Writes chunks as they are.
pub(super) fn copy<'p>(
    raw: &'p [RawChunk],
    stored: &Stored<'_>,
    sink: &mut Sink<'p, '_>,
) -> Result<Vec<ChunkEntry>> {
    // As many bits as there are filters.
    let filters = u32::try_from(stored.filters.len()).unwrap_or(32).min(32);
    let known = u32::MAX.checked_shr(32 - filters).unwrap_or(0);
    let entry = |chunk: &'p RawChunk| {
        let size = u32::try_from(chunk.bytes.len).map_err(|_| too_large(chunk.bytes.len))?;
        let address = sink.window(&chunk.bytes)?;
        Ok(ChunkEntry { size, mask: chunk.mask & known, offsets: chunk.start.clone(), address })
    };
    raw.iter().map(entry).collect()
}

fn too_large(chunk: u64) -> Error {
    let (structure, field) = ("version 1 B-tree node", "chunk size");
    Error::TooLarge { structure, field, value: chunk }
}

impl<'s> Grid<'s> {
    fn new(stored: &'s Stored<'_>, registry: &'s Registry) -> Result<Self, String> {
        let (shape, chunk) = (&stored.space.dims, stored.chunks.as_deref().unwrap_or_default());
        if chunk.len() != shape.len() || chunk.is_empty() {
            return Err(format!("chunks of shape {chunk:?} for a dataset of shape {shape:?}"));
        }
        if stored.is_compact {
            return Err("compact storage and chunks exclude each other".into());
        }
        if chunk.contains(&0) {
            return Err(format!("chunks of shape {chunk:?} have no elements"));
        }
        let element = stored.datatype.size();
        let bytes = chunk.iter().try_fold(element as u64, |n, dim| n.checked_mul(*dim));
        // The format has 32 bits for the size of a chunk.
        let bytes = bytes.and_then(|n| u32::try_from(n).ok()).and_then(|n| usize::try_from(n).ok());
        let chunk_bytes = bytes.filter(|n| *n > 0).ok_or_else(|| {
            format!(
                "chunks of shape {chunk:?} of elements of {element} bytes are not 1 byte to 4 GiB"
            )
        })?;
        // Smaller than all elements, which were counted.
        let row = shape.iter().skip(1).fold(element as u64, |n, dim| n.saturating_mul(*dim));
        let fill = &stored.fill[..];
        let filters = stored.pipeline(registry).map_err(|error| error.to_string())?;
        Ok(Self { shape, chunk, element, chunk_bytes, row, fill, filters, registry })
    }

    /// The first row and the number of rows of each slab.
    fn slabs(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let rows =
            if self.shape.contains(&0) { 0 } else { self.shape.first().copied().unwrap_or(0) };
        let height = self.chunk.first().copied().unwrap_or(1);
        let slab = move |n: u64| (n * height, height.min(rows - n * height));
        (0..rows.div_ceil(height)).map(slab)
    }

    /// `rows` rows from `first` on.
    fn slab<'d>(&self, first: u64, rows: u64, data: &'d Data<'_>) -> Result<Slab<'d>> {
        let too_many = || Error::LimitExceeded {
            what: "bytes of a row of chunks",
            wanted: rows.saturating_mul(self.row),
            limit: usize::MAX as u64,
        };
        let start = first.checked_mul(self.row).ok_or_else(too_many)?;
        let len = rows.checked_mul(self.row).and_then(|len| usize::try_from(len).ok());
        let len = len.ok_or_else(too_many)?;
        let bytes = match (data.memory(), data) {
            (Some(memory), _) => {
                let start = usize::try_from(start).map_err(|_| too_many())?;
                let part = memory.get(start..).and_then(|rest| rest.get(..len));
                Cow::Borrowed(part.ok_or_else(too_many)?)
            }
            (None, Data::Source(source)) => Cow::Owned(source.read_at(start, len)?.into()),
            (None, _) => Cow::Borrowed(&[][..]),
        };
        if bytes.len() != len {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(Slab { first, rows, bytes })
    }

    /// Where the chunks start that are at `first` of the first axis.
    fn places(&self, first: u64) -> impl Iterator<Item = Vec<u64>> {
        let mut next: Option<Vec<u64>> = Some(vec![0; self.shape.len()]);
        if let Some(start) = next.as_mut().and_then(|place| place.first_mut()) {
            *start = first;
        }
        std::iter::from_fn(move || {
            let place = next.take()?;
            let mut following = place.clone();
            // The last axis runs fastest; the first one stays.
            let axes = following.iter_mut().zip(self.shape).zip(self.chunk).skip(1);
            for ((at, len), chunk) in axes.rev() {
                *at = at.saturating_add(*chunk);
                if *at < *len {
                    next = Some(following);
                    break;
                }
                *at = 0;
            }
            Some(place)
        })
    }

    /// The chunks at `starts` as they are stored, each with its filter mask.
    fn encode(&self, slab: &Slab<'_>, starts: &[Vec<u64>]) -> Vec<Result<(u32, Vec<u8>)>> {
        let one = |start: &Vec<u64>| self.registry.encode(&self.filters, self.cut(slab, start));
        #[cfg(feature = "parallel")]
        if starts.len() > 1 && !self.filters.is_empty() {
            use rayon::prelude::*;
            return starts.par_iter().map(one).collect();
        }
        starts.iter().map(one).collect()
    }

    /// The elements of the chunk at `start`.
    fn cut(&self, slab: &Slab<'_>, start: &[u64]) -> Vec<u8> {
        // Elements of each axis that are in the dataset.
        let extents = start.iter().zip(self.shape).zip(self.chunk);
        let inside: Vec<u64> = extents.map(|((at, len), chunk)| (*chunk).min(len - at)).collect();
        let is_whole = inside == self.chunk;
        let mut chunk = Vec::with_capacity(self.chunk_bytes);
        if !is_whole {
            if self.fill.iter().any(|byte| *byte != 0) {
                chunk = self.fill.repeat(self.chunk_bytes / self.element);
            } else {
                chunk.resize(self.chunk_bytes, 0);
            }
        }
        let Some((run, outer)) = inside.split_last() else { return chunk };
        // What fits the slab and the chunk fits the memory they are in.
        let to_usize = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let run = to_usize(*run) * self.element;
        let mut at = vec![0_u64; outer.len()];
        loop {
            let (mut from, mut to) = (0_u64, 0_u64);
            for (axis, len) in self.shape.iter().enumerate() {
                let within = at.get(axis).copied().unwrap_or(0);
                let skipped = if axis == 0 { slab.first } else { 0 };
                let position = start.get(axis).copied().unwrap_or(0) - skipped + within;
                let rows = if axis == 0 { slab.rows } else { *len };
                from = from * rows + position;
                to = to * self.chunk.get(axis).copied().unwrap_or(1) + within;
            }
            let from = to_usize(from) * self.element;
            let part = slab.bytes.get(from..from + run).unwrap_or_default();
            if is_whole {
                chunk.extend_from_slice(part);
            } else {
                let to = to_usize(to) * self.element;
                if let Some(place) = chunk.get_mut(to..to + part.len()) {
                    place.copy_from_slice(part);
                }
            }
            // The next run: the last of the outer axes runs fastest.
            let mut axes = at.iter_mut().zip(outer).rev();
            loop {
                let Some((at, len)) = axes.next() else { return chunk };
                *at += 1;
                if *at < *len {
                    break;
                }
                *at = 0;
            }
        }
    }
}
