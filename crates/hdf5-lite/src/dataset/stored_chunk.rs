//! Chunks one by one, as they lie in the file.

use bytes::Bytes;

use super::{Dataset, chunked};
use crate::chunk::Chunk;
use crate::error::Result;
use crate::message::DataLayout;

/// A chunk that is in the file.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// let chunk = &file.dataset("grid")?.stored_chunks()?[1];
/// assert_eq!((chunk.start.as_slice(), chunk.filter_mask), (&[0, 3][..], 0));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChunk {
    /// Coordinates of its first element in the dataset.
    pub start: Vec<u64>,
    /// Where in the file it lies, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes as stored.
    pub size: u64,
    /// A bit for each filter that was left out.
    pub filter_mask: u32,
    chunk: Chunk,
}

impl Dataset {
    /// The chunks that are in the file, in row-major order; none if it is not chunked.
    ///
    /// ```no_run
    /// # let file = hdf5_lite::File::open("model.h5")?;
    /// let dataset = file.dataset("kernel")?;
    /// for chunk in dataset.stored_chunks()? {
    ///     let elements = dataset.read_chunk(&chunk)?;
    ///     println!("{:?}: {} bytes of {}", chunk.start, chunk.size, elements.len());
    /// }
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn stored_chunks(&self) -> Result<Vec<StoredChunk>> {
        let DataLayout::Chunked(layout) = &self.inner.layout else { return Ok(Vec::new()) };
        let index = self.index(layout)?;
        let stored = |chunk: &Chunk| {
            let place = index.grid.place(chunk.index);
            let start = place.iter().zip(&index.grid.chunk).map(|(at, len)| at * len);
            StoredChunk {
                start: start.collect(),
                offset: self.file().offset(chunk.address),
                size: chunk.size,
                filter_mask: chunk.mask,
                chunk: *chunk,
            }
        };
        Ok(index.chunks.iter().map(stored).collect())
    }

    /// The elements of `chunk`, one of this dataset's, decoded: a whole chunk, at edges too.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let grid = file.dataset("grid")?;
    /// let chunk = &grid.stored_chunks()?[0];
    /// assert_eq!(grid.read_chunk(chunk)?.len(), 2 * 3 * size_of::<f32>());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn read_chunk(&self, chunk: &StoredChunk) -> Result<Bytes> {
        let DataLayout::Chunked(layout) = &self.inner.layout else {
            return Err(self.object.wrong_type("a chunked dataset"));
        };
        let decoded = chunked::one(self, layout, &chunk.chunk)?;
        Ok(Bytes::copy_from_slice(&decoded))
    }
}
