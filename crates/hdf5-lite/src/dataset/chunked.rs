//! Reading chunked datasets.

use bytemuck::Pod;
use bytes::Bytes;

use super::cache::Cache;
use super::{Dataset, Index, Selection};
use crate::chunk::{Chunk, Grid};
use crate::error::Result;
use crate::filter::{self, Buffers, Decoded};
use crate::limits::Limits;
use crate::message::{ChunkedLayout, FilterPipeline};

/// The selected elements, `wanted` bytes, as they are stored; `T` is bytes or what they are.
pub(super) fn read<T: Pod>(
    dataset: &Dataset,
    layout: &ChunkedLayout,
    selection: &Selection,
    wanted: u64,
) -> Result<Vec<T>> {
    let index = dataset.index(layout)?;
    let grid = &index.grid;
    let chunks = touched(dataset, index, selection);
    let stored = ask(dataset, grid, chunks.iter().copied())?;
    let mut elements = dataset.filled(wanted, stored)?;
    let bytes = bytemuck::cast_slice_mut(&mut elements);
    let size = dataset.datatype().size();
    let reader = Reader {
        dataset,
        layout,
        grid,
        pipeline: dataset.pipeline()?,
        buffers: Buffers::default(),
    };
    let is_all = selection.is_all(dataset.shape());
    let cache = (!is_all && chunks.len() <= MOST_CACHED).then_some(&index.cache);
    #[cfg(feature = "parallel")]
    if reader.copy_slabs(&chunks, cache, selection, bytes)? {
        return Ok(elements);
    }
    reader.decode(&chunks, cache, |place, data| {
        selection.copy_from(data, &reader.start(place), &grid.chunk, size, 0, bytes);
    })?;
    Ok(elements)
}

/// Asks for all of `chunks` to be decoded, of which the selection may want little. Says how many
/// bytes of the file they are: no more than it has, since chunks may lie in the same place.
fn ask<'c>(dataset: &Dataset, grid: &Grid, chunks: impl Iterator<Item = &'c Chunk>) -> Result<u64> {
    let file = dataset.file();
    let (mut decoded, mut stored) = (0_u64, 0_u64);
    for chunk in chunks {
        decoded = decoded.saturating_add(grid.bytes);
        stored = stored.saturating_add(chunk.size);
    }
    let stored = stored.min(file.len());
    file.limits().ask_read(decoded, stored)?;
    Ok(stored)
}

/// Reads of more chunks than this neither use the cache nor push others' chunks out of it.
const MOST_CACHED: usize = 16;

/// The chunks that hold selected elements.
fn touched<'i>(dataset: &Dataset, index: &'i Index, selection: &Selection) -> Vec<&'i Chunk> {
    if selection.is_all(dataset.shape()) {
        return index.chunks.iter().collect();
    }
    let ranges = selection.chunks(&index.grid.chunk);
    let number = ranges.iter().map(|(first, last)| last - first + 1);
    let number = number.fold(1_u64, u64::saturating_mul);
    if number > index.chunks.len() as u64 {
        let within = |chunk: &&Chunk| {
            let place = index.grid.place(chunk.index);
            place.iter().zip(&ranges).all(|(at, (first, last))| (first..=last).contains(&at))
        };
        return index.chunks.iter().filter(within).collect();
    }
    let mut found = Vec::new();
    let mut place: Vec<u64> = ranges.iter().map(|(first, _)| *first).collect();
    for _ in 0..number {
        found.extend(index.grid.index(&place).and_then(|number| index.chunk(number)));
        // The next place: the last axis runs fastest.
        for (at, (first, last)) in place.iter_mut().zip(&ranges).rev() {
            *at += 1;
            if *at <= *last {
                break;
            }
            *at = *first;
        }
    }
    found
}

/// The elements of one chunk.
pub(super) fn one(dataset: &Dataset, layout: &ChunkedLayout, chunk: &Chunk) -> Result<Decoded> {
    let index = dataset.index(layout)?;
    let reader = Reader {
        dataset,
        layout,
        grid: &index.grid,
        pipeline: dataset.pipeline()?,
        buffers: Buffers::default(),
    };
    reader.chunk(chunk, &index.grid.place(chunk.index))
}

/// The elements at `points`, which lie in the dataset.
pub(super) fn read_points(
    dataset: &Dataset,
    layout: &ChunkedLayout,
    points: &[impl AsRef<[u64]>],
) -> Result<Bytes> {
    let index = dataset.index(layout)?;
    let grid = &index.grid;
    let size = dataset.datatype().size();
    let place_of = |point: &[u64]| -> Vec<u64> {
        point.iter().zip(&grid.chunk).map(|(at, chunk)| at / chunk).collect()
    };
    let numbered = points.iter().map(AsRef::as_ref).enumerate();
    let mut by_chunk: Vec<_> =
        numbered.map(|(n, point)| (grid.index(&place_of(point)), n, point)).collect();
    by_chunk.sort_unstable_by_key(|(chunk, n, _)| (*chunk, *n));
    let groups = || by_chunk.chunk_by(|a, b| a.0 == b.0);
    let numbers = groups().filter_map(|group| group.first()?.0);
    let stored = ask(dataset, grid, numbers.filter_map(|number| index.chunk(number)))?;
    let wanted = (points.len() as u64).saturating_mul(size as u64);
    let mut bytes: Vec<u8> = dataset.filled(wanted, stored.max(wanted))?;
    let reader = Reader {
        dataset,
        layout,
        grid,
        pipeline: dataset.pipeline()?,
        buffers: Buffers::default(),
    };
    for group in groups() {
        let Some((Some(number), _, first)) = group.first() else { continue };
        let Some(chunk) = index.chunk(*number) else { continue };
        let data = reader.get(chunk, &place_of(first), Some(&index.cache))?;
        for (_, n, point) in group {
            let within = point.iter().zip(&grid.chunk);
            // Inside a chunk whose bytes were counted, so nothing overflows.
            let offset = within.fold(0_u64, |offset, (at, len)| offset * len + at % len);
            let start = usize::try_from(offset).unwrap_or(usize::MAX).saturating_mul(size);
            let from = data.get(start..start.saturating_add(size));
            let to = bytes.get_mut(n * size..(n + 1) * size);
            if let (Some(from), Some(to)) = (from, to) {
                to.copy_from_slice(from);
            }
        }
    }
    Ok(bytes.into())
}

struct Reader<'d> {
    dataset: &'d Dataset,
    layout: &'d ChunkedLayout,
    grid: &'d Grid,
    pipeline: FilterPipeline,
    buffers: Buffers,
}

/// Decoded bytes of the chunks in work at one time; a larger chunk is alone.
#[cfg(feature = "parallel")]
const BATCH_BYTES: u64 = 1 << 22;

/// Decoded bytes for which it pays to wake other threads.
#[cfg(feature = "parallel")]
const SHARED_BYTES: u64 = 1 << 17;

impl Reader<'_> {
    /// Decodes some chunks and calls `visit` with the place and the bytes of each.
    ///
    /// With the feature `parallel`, the threads of the pool decode a batch of chunks together.
    fn decode(
        &self,
        chunks: &[&Chunk],
        cache: Option<&Cache>,
        mut visit: impl FnMut(&[u64], &[u8]),
    ) -> Result<()> {
        #[cfg(feature = "parallel")]
        if self.is_shared(chunks) {
            use rayon::prelude::*;
            let batch = usize::try_from(BATCH_BYTES / self.grid.bytes.max(1)).unwrap_or(0);
            // Two for each thread, so that none has to wait for long.
            let batch = batch.max(2 * rayon::current_num_threads());
            for batch in chunks.chunks(batch) {
                let decoded = batch.par_iter().map(|chunk| {
                    let place = self.grid.place(chunk.index);
                    Ok((self.get(chunk, &place, cache)?, place))
                });
                for (data, place) in decoded.collect::<Result<Vec<_>>>()? {
                    visit(&place, &data);
                    self.give(data);
                }
            }
            return Ok(());
        }
        // One after the other: the memory of one is used again for the next.
        for chunk in chunks {
            let place = self.grid.place(chunk.index);
            let data = self.get(chunk, &place, cache)?;
            visit(&place, &data);
            self.give(data);
        }
        Ok(())
    }

    /// Whether threads decode the chunks together.
    #[cfg(feature = "parallel")]
    fn is_shared(&self, chunks: &[&Chunk]) -> bool {
        let bytes = self.grid.bytes.saturating_mul(chunks.len() as u64);
        let pays = chunks.len() > 1 && bytes >= SHARED_BYTES;
        pays && !self.pipeline.filters.is_empty() && rayon::current_num_threads() > 1
    }

    /// Decodes the chunks of each row of the grid to their part of `bytes`, which no other row has
    /// a part in. Says no if there are too few rows for the threads.
    #[cfg(feature = "parallel")]
    fn copy_slabs(
        &self,
        chunks: &[&Chunk],
        cache: Option<&Cache>,
        selection: &Selection,
        bytes: &mut [u8],
    ) -> Result<bool> {
        use rayon::prelude::*;
        let per_row = self.grid.chunks.iter().skip(1).product::<u64>().max(1);
        let row = |chunk: &Chunk| chunk.index / per_row;
        let rows: Vec<_> = chunks.chunk_by(|a, b| row(a) == row(b)).collect();
        if !self.is_shared(chunks) || rows.len() < rayon::current_num_threads().min(chunks.len()) {
            return Ok(false);
        }
        let size = self.dataset.datatype().size();
        let depth = self.grid.chunk.first().copied().unwrap_or(1);
        let (mut parts, mut rest, mut end) = (Vec::with_capacity(rows.len()), bytes, 0);
        for chunks in rows {
            let first = chunks.first().map_or(0, |chunk| row(chunk)).saturating_mul(depth);
            let [from, to] =
                [first, first.saturating_add(depth)].map(|at| selection.before(at, size));
            let behind = rest.split_at_mut_checked(from.saturating_sub(end));
            let part = behind.and_then(|(_, rest)| rest.split_at_mut_checked(to - from));
            let Some((part, behind)) = part else { return Ok(false) };
            parts.push((chunks, from, part));
            (rest, end) = (behind, to);
        }
        parts.into_par_iter().try_for_each(|(chunks, before, part)| {
            for chunk in chunks {
                let place = self.grid.place(chunk.index);
                let data = self.get(chunk, &place, cache)?;
                let start = self.start(&place);
                selection.copy_from(&data, &start, &self.grid.chunk, size, before, part);
                self.give(data);
            }
            Ok::<_, crate::Error>(())
        })?;
        Ok(true)
    }

    /// The coordinates of a chunk's first element.
    fn start(&self, place: &[u64]) -> Vec<u64> {
        place.iter().zip(&self.grid.chunk).map(|(at, len)| at * len).collect()
    }

    /// As [`chunk`](Self::chunk), from the cache or for it if there is one.
    fn get(&self, chunk: &Chunk, place: &[u64], cache: Option<&Cache>) -> Result<Decoded> {
        let Some(cache) = cache.filter(|_| !self.pipeline.filters.is_empty()) else {
            return self.chunk(chunk, place);
        };
        let limit = self.dataset.file().limits().cache_bytes;
        let decode = || self.chunk(chunk, place).map(Bytes::from);
        cache.get(chunk.index, limit, decode).map(Decoded::Stored)
    }

    /// Takes back the memory of a chunk that was copied from.
    fn give(&self, data: Decoded) {
        if let Decoded::Owned(buffer) = data {
            self.buffers.give(buffer);
        }
    }

    /// The decoded bytes of a chunk.
    fn chunk(&self, chunk: &Chunk, place: &[u64]) -> Result<Decoded> {
        let file = self.dataset.file();
        Limits::ask("bytes of a chunk", self.grid.bytes, file.limits().chunk_bytes)?;
        if self.layout.element != self.dataset.datatype().size() as u64 {
            return Err(self.dataset.broken("size of an element in chunks"));
        }
        let stored = file.read(chunk.address, chunk.size)?;
        let expected = usize::try_from(self.grid.bytes).unwrap_or(usize::MAX);
        let unfiltered = self.layout.edges_unfiltered && self.is_at_edge(place);
        if unfiltered || self.pipeline.filters.is_empty() {
            if stored.data.len() < expected {
                return Err(self.dataset.broken("size of a chunk"));
            }
            return Ok(Decoded::Stored(stored.data));
        }
        filter::decode(file, &self.pipeline, chunk.mask, &stored.data, expected, &self.buffers)
    }

    /// Whether the chunk reaches beyond the dataset.
    fn is_at_edge(&self, place: &[u64]) -> bool {
        let axes = place.iter().zip(&self.grid.chunk).zip(self.dataset.shape());
        axes.into_iter().any(|((at, chunk), len)| (at + 1).saturating_mul(*chunk) > *len)
    }
}
