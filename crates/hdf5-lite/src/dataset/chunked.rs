//! Reading chunked datasets.

use bytes::Bytes;

use super::{Dataset, Selection};
use crate::chunk::{Chunk, Grid};
use crate::error::Result;
use crate::filter;
use crate::limits::Limits;
use crate::message::{ChunkedLayout, FilterPipeline};

/// The selected elements, `wanted` bytes.
pub(super) fn read(
    dataset: &Dataset,
    layout: &ChunkedLayout,
    selection: &Selection,
    wanted: u64,
) -> Result<Bytes> {
    let index = dataset.index(layout)?;
    let grid = &index.grid;
    let ranges = selection.chunks(&grid.chunk);
    let chunks: Vec<&Chunk> = if selection.is_all(dataset.shape()) {
        index.chunks.iter().collect()
    } else {
        let touched = |chunk: &&Chunk| {
            let place = grid.place(chunk.index);
            place.iter().zip(&ranges).all(|(at, (first, last))| (first..=last).contains(&at))
        };
        index.chunks.iter().filter(touched).collect()
    };
    let stored = chunks.iter().fold(0_u64, |sum, chunk| sum.saturating_add(chunk.size));
    let mut bytes = dataset.filled(wanted, stored)?;
    let reader = Reader { dataset, layout, grid, pipeline: dataset.pipeline()? };
    // As many chunks at a time as keep the threads busy, and memory within bounds.
    let batch = usize::try_from(BATCH_BYTES / grid.bytes.max(1)).unwrap_or(0).clamp(1, 256);
    for batch in chunks.chunks(batch) {
        for (place, data) in reader.decode(batch)? {
            let start: Vec<u64> = place.iter().zip(&grid.chunk).map(|(at, len)| at * len).collect();
            selection.copy_from(&data, &start, &grid.chunk, dataset.datatype().size(), &mut bytes);
        }
    }
    Ok(bytes.into())
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
    let wanted = (points.len() as u64).saturating_mul(size as u64);
    let mut bytes = dataset.filled(wanted, wanted)?;
    let reader = Reader { dataset, layout, grid, pipeline: dataset.pipeline()? };
    for group in by_chunk.chunk_by(|a, b| a.0 == b.0) {
        let Some((Some(number), _, first)) = group.first() else { continue };
        let found = index.chunks.binary_search_by_key(number, |chunk| chunk.index);
        let Some(chunk) = found.ok().and_then(|at| index.chunks.get(at)) else { continue };
        let data = reader.chunk(chunk, &place_of(first))?;
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
}

/// Decoded bytes of the chunks in work at one time; a larger chunk is alone.
const BATCH_BYTES: u64 = 1 << 25;

/// The place of a chunk in the grid, and its decoded bytes.
type Decoded = (Vec<u64>, Bytes);

impl Reader<'_> {
    /// Decodes some chunks, by all threads of the pool with the feature `parallel`.
    fn decode(&self, chunks: &[&Chunk]) -> Result<Vec<Decoded>> {
        let decode = |chunk: &&Chunk| {
            let place = self.grid.place(chunk.index);
            let data = self.chunk(chunk, &place)?;
            Ok((place, data))
        };
        #[cfg(feature = "parallel")]
        if !self.pipeline.filters.is_empty() && chunks.len() > 1 {
            use rayon::prelude::*;
            return chunks.par_iter().map(decode).collect();
        }
        chunks.iter().map(decode).collect()
    }

    /// The decoded bytes of a chunk.
    fn chunk(&self, chunk: &Chunk, place: &[u64]) -> Result<Bytes> {
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
            return Ok(stored.data);
        }
        filter::decode(file, &self.pipeline, chunk.mask, &stored.data, expected)
    }

    /// Whether the chunk reaches beyond the dataset.
    fn is_at_edge(&self, place: &[u64]) -> bool {
        let axes = place.iter().zip(&self.grid.chunk).zip(self.dataset.shape());
        axes.into_iter().any(|((at, chunk), len)| (at + 1).saturating_mul(*chunk) > *len)
    }
}
