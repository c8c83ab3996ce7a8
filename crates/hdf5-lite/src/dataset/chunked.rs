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
    for chunk in chunks {
        let place = grid.place(chunk.index);
        let data = reader.chunk(chunk, &place)?;
        let start: Vec<u64> = place.iter().zip(&grid.chunk).map(|(at, len)| at * len).collect();
        selection.copy_from(&data, &start, &grid.chunk, dataset.datatype().size(), &mut bytes);
    }
    Ok(bytes.into())
}

struct Reader<'d> {
    dataset: &'d Dataset,
    layout: &'d ChunkedLayout,
    grid: &'d Grid,
    pipeline: FilterPipeline,
}

impl Reader<'_> {
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
