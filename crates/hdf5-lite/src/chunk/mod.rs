//! Chunk indexes: which chunks a dataset has, and where (IV.A.2.i, III.A.1, VII). The single
//! chunk index (VII.A) is all in the layout message.

mod btree_v2;
mod extensible_array;
mod fixed_array;
mod implicit;

use nom::Parser;
use nom::number::complete::le_u32;

use crate::btree::v1;
use crate::error::{Error, Result};
use crate::file::File;
use crate::message::{ChunkIndexing, ChunkedLayout, DataLayout, Dataspace};
use crate::parse::{Address, Context, Parsed, Structure, field, uint};

/// A chunk that is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Its place in the grid of chunks, in row-major order.
    pub(crate) index: u64,
    pub(crate) address: Address,
    /// Bytes as stored.
    pub(crate) size: u64,
    /// A bit for each filter that was left out.
    pub(crate) mask: u32,
}

/// How chunks cover a dataset.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// Elements along each axis of a chunk.
    pub(crate) chunk: Vec<u64>,
    /// Chunks along each axis of the dataset as it is.
    pub(crate) chunks: Vec<u64>,
    /// Chunks along each axis as large as it may grow, `None` for any length.
    max_chunks: Vec<Option<u64>>,
    /// Bytes of a whole chunk.
    pub(crate) bytes: u64,
}

impl Grid {
    pub(crate) fn new(space: &Dataspace, layout: &ChunkedLayout, offset: u64) -> Result<Self> {
        let broken = |field| DataLayout::malformed(offset, field);
        if layout.dims.len() != space.dims.len() {
            return Err(broken("dimensionality"));
        }
        let pairs = || space.dims.iter().zip(&layout.dims);
        let chunks: Vec<u64> = pairs().map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
        let max_chunks = if space.max_dims.is_empty() {
            chunks.iter().map(|n| Some(*n)).collect()
        } else {
            let pairs = space.max_dims.iter().zip(&layout.dims);
            pairs.map(|(dim, chunk)| dim.map(|dim| dim.div_ceil(*chunk))).collect()
        };
        let bytes = layout.dims.iter().try_fold(layout.element, |n, dim| n.checked_mul(*dim));
        let bytes = bytes.ok_or_else(|| broken("chunk dims"))?;
        // So that the number of any chunk of the grid is one.
        chunks.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim)).ok_or(
            Error::LimitExceeded {
                what: "chunks of a dataset",
                wanted: u64::MAX,
                limit: u64::MAX - 1,
            },
        )?;
        Ok(Self { chunk: layout.dims.clone(), chunks, max_chunks, bytes })
    }

    /// The number of the chunk at `place`, if the dataset reaches that far.
    pub(crate) fn index(&self, place: &[u64]) -> Option<u64> {
        let mut index = 0_u64;
        for (at, chunks) in place.iter().zip(&self.chunks) {
            if at >= chunks {
                return None;
            }
            index = index.checked_mul(*chunks)?.checked_add(*at)?;
        }
        Some(index)
    }

    /// Where in the grid the chunk `index` is.
    pub(crate) fn place(&self, mut index: u64) -> Vec<u64> {
        let mut place = vec![0; self.chunks.len()];
        for (at, chunks) in place.iter_mut().zip(&self.chunks).rev() {
            *at = index.checked_rem(*chunks).unwrap_or(0);
            index = index.checked_div(*chunks).unwrap_or(0);
        }
        place
    }

    /// As [`place`](Self::place), of an index that numbers the grid as it may become.
    fn place_of_max(&self, mut index: u64) -> Vec<u64> {
        let mut place = vec![0; self.chunks.len()];
        for (at, chunks) in place.iter_mut().zip(&self.max_chunks).rev() {
            if let Some(chunks) = chunks {
                *at = index.checked_rem(*chunks).unwrap_or(0);
                index = index.checked_div(*chunks).unwrap_or(0);
            } else {
                // Only the first axis can be without end, and nothing comes before it.
                (*at, index) = (index, 0);
            }
        }
        place
    }
}

/// All chunks in the file, in the order of the grid.
pub(crate) fn chunks(file: &File, layout: &ChunkedLayout, grid: &Grid) -> Result<Vec<Chunk>> {
    let Some(address) = layout.address else { return Ok(Vec::new()) };
    let mut list = List { file, grid, chunks: Vec::new() };
    match layout.indexing {
        ChunkIndexing::BTreeV1 => {
            v1::for_each_chunk(file, address, grid.chunk.len(), &mut |entry| {
                let scaled = entry.offsets.iter().zip(&grid.chunk).map(|(at, chunk)| at / chunk);
                let place: Vec<u64> = scaled.collect();
                list.add(&place, entry.address, entry.size.into(), entry.mask)
            })?;
        }
        ChunkIndexing::Single(filtered) => {
            let (size, mask) = filtered.unwrap_or((grid.bytes, 0));
            list.add(&vec![0; grid.chunk.len()], address, size, mask)?;
        }
        ChunkIndexing::Implicit => implicit::list(address, &mut list)?,
        ChunkIndexing::FixedArray => fixed_array::list(address, &mut list)?,
        ChunkIndexing::ExtensibleArray => extensible_array::list(address, &mut list)?,
        ChunkIndexing::BTreeV2 => btree_v2::list(address, &mut list)?,
    }
    let mut chunks = list.chunks;
    chunks.sort_by_key(|chunk| chunk.index);
    // No index of a sound file lists a chunk twice.
    chunks.dedup_by_key(|chunk| chunk.index);
    Ok(chunks)
}

/// The chunks found so far.
struct List<'f> {
    file: &'f File,
    grid: &'f Grid,
    chunks: Vec<Chunk>,
}

impl List<'_> {
    /// Adds the chunk at `place`, unless it lies beyond the dataset, as after it was shrunk.
    fn add(&mut self, place: &[u64], address: Address, size: u64, mask: u32) -> Result<()> {
        self.file.limits().ask_entries("chunks of a dataset", self.chunks.len())?;
        if let Some(index) = self.grid.index(place) {
            self.chunks.push(Chunk { index, address, size, mask });
        }
        Ok(())
    }
}

/// An element of a fixed or extensible array: a chunk, if it was ever written (VII.C, VII.D).
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: Option<Address>,
    /// Stored size and filter mask, if the chunks are filtered.
    filtered: Option<(u64, u32)>,
}

impl Entry {
    /// Parses one of `len` bytes; the size of filtered chunks has what the others leave.
    fn parse<'a>(i: &'a [u8], cx: &Context<'_>, len: u8, filtered: bool) -> Parsed<'a, Self> {
        let (i, address) = field("chunk address", |i| cx.sizes.address(i)).parse(i)?;
        if !filtered {
            return Ok((i, Self { address, filtered: None }));
        }
        let width = usize::from(len).saturating_sub(usize::from(cx.sizes.offsets) + 4);
        let (i, size) = field("chunk size", uint(width)).parse(i)?;
        let (i, mask) = field("filter mask", le_u32).parse(i)?;
        Ok((i, Self { address, filtered: Some((size, mask)) }))
    }

    /// Adds the chunk, which the array lists as number `index`.
    fn add(self, list: &mut List<'_>, place: &[u64]) -> Result<()> {
        let Some(address) = self.address else { return Ok(()) };
        let (size, mask) = self.filtered.unwrap_or((list.grid.bytes, 0));
        list.add(place, address, size, mask)
    }
}
