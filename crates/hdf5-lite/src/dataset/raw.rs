//! How a dataset's elements are stored, to be stored again as they are.

use bytes::Bytes;

use super::{Dataset, ExternalFile};
use crate::error::Result;
use crate::message::{DataLayout, Datatype, ExternalFiles, Shared};
use crate::parse::Address;
use crate::storage::Window;

/// The stored elements of a dataset.
pub(crate) enum Raw {
    Compact(Bytes),
    Contiguous(Window),
    /// Never allocated: all elements are the fill value.
    Absent,
    External(Vec<ExternalFile>),
    /// In the order of the grid.
    Chunks(Vec<RawChunk>),
    /// The mappings, an object of the global heap.
    Virtual(Option<Bytes>),
}

/// A chunk as it is stored.
#[derive(Debug)]
pub(crate) struct RawChunk {
    /// Coordinates of its first element.
    pub(crate) start: Vec<u64>,
    /// A bit for each filter that was left out.
    pub(crate) mask: u32,
    pub(crate) bytes: Window,
}

impl Dataset {
    /// The committed datatype that its type is.
    pub(crate) fn committed(&self) -> Result<Option<Address>> {
        let header = self.object.header();
        match header.all::<Datatype>().next().filter(|message| message.is_shared()) {
            Some(message) => Shared::committed(&header.body(message), self.file().sizes()),
            None => Ok(None),
        }
    }

    pub(crate) fn raw(&self) -> Result<Raw> {
        let file = self.file();
        Ok(match &self.inner.layout {
            DataLayout::Compact(_) => Raw::Compact(self.bytes()?),
            DataLayout::Contiguous { address: Some(_), .. } => match self.piece()? {
                Some((storage, offset)) => {
                    Raw::Contiguous(Window { storage, offset, len: self.wanted_bytes()? })
                }
                None => Raw::Absent,
            },
            DataLayout::Contiguous { address: None, .. } => {
                if self.object.header().has::<ExternalFiles>() {
                    Raw::External(self.external_files()?)
                } else {
                    Raw::Absent
                }
            }
            DataLayout::Chunked(layout) => {
                let index = self.index(layout)?;
                let unfiltered = u32::MAX;
                let mut chunks = Vec::with_capacity(index.chunks.len());
                for chunk in &index.chunks {
                    let place = index.grid.place(chunk.index);
                    let start: Vec<u64> =
                        place.iter().zip(&index.grid.chunk).map(|(at, len)| at * len).collect();
                    let mut ends = start.iter().zip(&index.grid.chunk).zip(self.shape());
                    let is_at_edge = ends.any(|((at, len), dim)| at.saturating_add(*len) > *dim);
                    let passes = layout.edges_unfiltered && is_at_edge;
                    let mask = if passes { unfiltered } else { chunk.mask };
                    let (storage, offset) = (file.storage().clone(), file.offset(chunk.address));
                    storage.check(offset, chunk.size)?;
                    let bytes = Window { storage, offset, len: chunk.size };
                    chunks.push(RawChunk { start, mask, bytes });
                }
                Raw::Chunks(chunks)
            }
            DataLayout::Virtual(id) => Raw::Virtual(match id {
                Some(id) => Some(file.global_heap(*id)?.data),
                None => None,
            }),
        })
    }
}
