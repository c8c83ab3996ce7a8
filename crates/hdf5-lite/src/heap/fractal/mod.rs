//! Fractal heap: HDF5 File Format Specification 3.0, III.G.

mod header;
mod managed;
mod store;

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use header::{Filtered, Header};
pub(crate) use store::{Kind, store};

use crate::btree::{HugeObject, v2};
use crate::error::{Error, Result};
use crate::file::File;
use crate::filter;
use crate::limits::Limits;
use crate::message::FilterPipeline;
use crate::parse::{Address, Structure, le_uint};
use crate::storage::Block;

/// An open fractal heap.
pub(crate) struct FractalHeap {
    header: Header,
    at: u64,
    /// Direct and indirect blocks by address: many objects lie in one block.
    blocks: Mutex<HashMap<Address, Block>>,
}

impl fmt::Debug for FractalHeap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FractalHeap").field("at", &self.at).finish_non_exhaustive()
    }
}

impl FractalHeap {
    pub(crate) fn read_at(file: &File, address: Address) -> Result<Self> {
        // The fixed fields are at most 22 bytes, 12 lengths and 3 addresses; the filters follow.
        let start = file.read_up_to(address, 9)?;
        let filters = start.data.get(7..9).map_or(0, le_uint);
        let sizes = file.sizes();
        let (o, l) = (u64::from(sizes.offsets), u64::from(sizes.lengths));
        let filtered = if filters > 0 { l + 4 + filters } else { 0 };
        let len = 26 + 12 * l + 3 * o + filtered;
        let block = file.read(address, len)?;
        let header = Header::read_checked(&block, sizes)?;
        Ok(Self { header, at: block.at, blocks: Mutex::default() })
    }

    fn broken(&self, field: &'static str) -> Error {
        Header::malformed(self.at, field)
    }

    /// The object that a heap ID names.
    pub(crate) fn object(&self, file: &File, id: &[u8]) -> Result<Block> {
        let id =
            id.get(..self.header.id_len.into()).ok_or_else(|| self.broken("heap id length"))?;
        let (first, body) = id.split_first().ok_or_else(|| self.broken("heap id length"))?;
        if first >> 6 != 0 {
            return Err(Error::Unsupported {
                structure: "fractal heap id",
                field: "version",
                found: (first >> 6).into(),
            });
        }
        match first >> 4 & 3 {
            0 => self.managed(file, body),
            1 => self.huge(file, body),
            2 => self.tiny(*first, body),
            other => Err(Error::Unsupported {
                structure: "fractal heap id",
                field: "type",
                found: other.into(),
            }),
        }
    }

    /// The object is in the ID itself.
    fn tiny(&self, first: u8, body: &[u8]) -> Result<Block> {
        let low = usize::from(first & 0x0f);
        // Longer IDs have a second byte of length.
        let object = if self.header.id_len <= 18 {
            body.get(..=low)
        } else {
            body.split_first().and_then(|(next, data)| data.get(..=(low << 8 | usize::from(*next))))
        };
        let object = object.ok_or_else(|| self.broken("length of a tiny object"))?;
        Ok(Block { at: self.at, data: bytes::Bytes::copy_from_slice(object) })
    }

    /// The object has its own place in the file.
    fn huge(&self, file: &File, body: &[u8]) -> Result<Block> {
        let sizes = file.sizes();
        let (o, l) = (usize::from(sizes.offsets), usize::from(sizes.lengths));
        let filtered = self.header.filtered.is_some();
        let direct = o + l + if filtered { 4 + l } else { 0 };
        let object = if direct <= body.len() {
            let block = Block { at: self.at, data: bytes::Bytes::copy_from_slice(body) };
            HugeObject::parse_direct(&block, sizes, filtered)?
        } else {
            let key = le_uint(body.get(..body.len().min(8)).unwrap_or_default());
            let index = self.header.huge_index;
            let index = index.ok_or_else(|| self.broken("address of the huge objects' B-tree"))?;
            let tree = v2::Tree::read_at(file, index)?;
            HugeObject::find(file, &tree, key, filtered)?
                .ok_or_else(|| self.broken("key of a huge object"))?
        };
        Limits::ask("bytes of a huge object", object.length, file.limits().attribute_bytes)?;
        let stored = file.read(object.address, object.length)?;
        match (&self.header.filtered, object.filtered) {
            (Some(Filtered { pipeline, .. }), Some((mask, size))) => {
                self.unfilter(file, pipeline, &stored, mask, size)
            }
            _ => Ok(stored),
        }
    }

    fn unfilter(
        &self,
        file: &File,
        pipeline: &FilterPipeline,
        stored: &Block,
        mask: u32,
        size: u64,
    ) -> Result<Block> {
        Limits::ask("bytes of a heap block", size, file.limits().attribute_bytes)?;
        let size = usize::try_from(size).map_err(|_| self.broken("size of a block"))?;
        let buffers = filter::Buffers::default();
        let data = filter::decode(file, pipeline, mask, &stored.data, size, &buffers)?;
        Ok(Block { at: stored.at, data: data.into() })
    }
}
