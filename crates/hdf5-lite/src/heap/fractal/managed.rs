//! Managed objects of a fractal heap: the doubling table of direct and indirect blocks (III.G).

use std::sync::PoisonError;

use nom::Parser;
use nom::combinator::cond;
use nom::number::complete::le_u32;

use super::FractalHeap;
use crate::checksum::lookup3;
use crate::error::Result;
use crate::file::File;
use crate::limits::Limits;
use crate::parse::{
    Address, Context, Parsed, Structure, field, is_right, le_uint, signature, verify,
};
use crate::storage::Block;

/// Blocks kept decoded and verified per heap.
const KEPT_BLOCKS: usize = 64;

/// Where a block lies and how it is stored.
struct Child {
    address: Option<Address>,
    /// Stored size and filter mask, if filtered.
    filtered: Option<(u64, u32)>,
}

impl FractalHeap {
    /// The object is in one of the heap's direct blocks.
    pub(super) fn managed(&self, file: &File, body: &[u8]) -> Result<Block> {
        let header = &self.header;
        let (offset_len, length_len) = (header.offset_len(), header.length_len());
        let offset = body.get(..offset_len).map(le_uint);
        let length = body.get(offset_len..offset_len + length_len).map(le_uint);
        let (Some(offset), Some(length)) = (offset, length) else {
            return Err(self.broken("heap id length"));
        };
        let (block, block_offset) = self.direct_block_with(file, offset)?;
        let start = usize::try_from(offset - block_offset).ok();
        let object = start.zip(usize::try_from(length).ok());
        object
            .and_then(|(start, len)| block.slice(start, len))
            .ok_or_else(|| self.broken("offset of a managed object"))
    }

    /// The direct block that spans `offset` of the heap's space, and the offset of its start.
    fn direct_block_with(&self, file: &File, offset: u64) -> Result<(Block, u64)> {
        let header = &self.header;
        let root = header.root.ok_or_else(|| self.broken("address of the root block"))?;
        let mut rows = u32::from(header.root_rows);
        if rows == 0 {
            let filtered = header.filtered.as_ref().map(|f| (f.root_size, f.root_mask));
            let child = Child { address: Some(root), filtered };
            return Ok((self.direct_block(file, &child, 0, header.start_block)?, 0));
        }
        let (mut address, mut base) = (root, 0_u64);
        loop {
            let (row, column) = self.place_of(offset - base)?;
            if row >= rows {
                return Err(self.broken("offset of a managed object"));
            }
            let size = self.row_size(row)?;
            let entry = u64::from(row) * u64::from(header.table_width) + column;
            let child = self.child(file, address, rows, base, entry)?;
            let before = column.checked_mul(size).zip(header.row_start(row));
            let start = before.and_then(|(a, b)| a.checked_add(b)?.checked_add(base));
            base = start.ok_or_else(|| self.broken("offset of a managed object"))?;
            if size <= header.max_direct {
                return Ok((self.direct_block(file, &child, base, size)?, base));
            }
            // Fewer rows each time.
            let below = header.rows_of(size).filter(|below| *below < rows);
            rows = below.ok_or_else(|| self.broken("rows of an indirect block"))?;
            address = child.address.ok_or_else(|| self.broken("address of an indirect block"))?;
        }
    }

    /// Row and column of the block that spans `offset` of an indirect block's space.
    fn place_of(&self, offset: u64) -> Result<(u32, u64)> {
        let header = &self.header;
        let first_row = header.start_block.checked_mul(header.table_width.into());
        let first_row = first_row.ok_or_else(|| self.broken("table width"))?;
        let row = if offset < first_row { 0 } else { offset.ilog2() - first_row.ilog2() + 1 };
        let start =
            header.row_start(row).ok_or_else(|| self.broken("offset of a managed object"))?;
        Ok((row, (offset - start) / self.row_size(row)?))
    }

    fn row_size(&self, row: u32) -> Result<u64> {
        self.header.row_size(row).ok_or_else(|| self.broken("offset of a managed object"))
    }

    /// The entry `entry` of the indirect block at `address`.
    fn child(
        &self,
        file: &File,
        address: Address,
        rows: u32,
        base: u64,
        entry: u64,
    ) -> Result<Child> {
        let header = &self.header;
        let sizes = file.sizes();
        let (o, l) = (u64::from(sizes.offsets), u64::from(sizes.lengths));
        let per_direct = if header.filtered.is_some() { o + l + 4 } else { o };
        let width = u64::from(header.table_width);
        let direct = u64::from(header.max_direct_rows().min(rows)) * width;
        let all = u64::from(rows) * width;
        let prefix = 5 + o + u64::from(header.max_heap_bits).div_ceil(8);
        let len = prefix + direct * per_direct + (all - direct) * o + 4;
        let block = if let Some(block) = self.kept(address) {
            block
        } else {
            Limits::ask("bytes of an indirect block", len, file.limits().header_bytes)?;
            let block = file.read(address, len)?;
            verify(&block).map_err(|field| IndirectBlock::malformed(block.at, field))?;
            self.check_prefix(&block, b"FHIB", base, sizes.offsets)?;
            self.keep(address, &block);
            block
        };
        let start = prefix
            + if entry < direct {
                entry * per_direct
            } else {
                direct * per_direct + (entry - direct) * o
            };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let tail = block.slice(start, block.data.len().saturating_sub(start));
        let tail = tail.ok_or_else(|| IndirectBlock::malformed(block.at, "entry"))?;
        let with_filter = entry < direct && header.filtered.is_some();
        match child(&tail.data, &Context::new(sizes, &tail), with_filter) {
            Ok((_, child)) => Ok(child),
            Err(stop) => Err(IndirectBlock::error(&tail, stop)),
        }
    }

    /// The direct block at `child`, `size` bytes when decoded.
    fn direct_block(&self, file: &File, child: &Child, offset: u64, size: u64) -> Result<Block> {
        let address = child.address.ok_or_else(|| self.broken("address of a direct block"))?;
        if let Some(block) = self.kept(address) {
            return Ok(block);
        }
        Limits::ask("bytes of a heap block", size, file.limits().attribute_bytes)?;
        let block = match (&self.header.filtered, child.filtered) {
            (Some(filtered), Some((stored, mask))) => {
                Limits::ask("bytes of a heap block", stored, file.limits().attribute_bytes)?;
                let stored = file.read(address, stored)?;
                self.unfilter(file, &filtered.pipeline, &stored, mask, size)?
            }
            _ => file.read(address, size)?,
        };
        let sizes = file.sizes();
        self.check_prefix(&block, b"FHDB", offset, sizes.offsets)?;
        if self.header.checksummed {
            // The checksum is computed with zeros in its place.
            let at =
                5 + usize::from(sizes.offsets) + usize::from(self.header.max_heap_bits).div_ceil(8);
            let mut bytes = block.data.to_vec();
            let place = bytes.get_mut(at..at + 4);
            let place = place.ok_or_else(|| DirectBlock::malformed(block.at, "checksum"))?;
            let stored = le_uint(place);
            place.fill(0);
            if !is_right(u64::from(lookup3(&bytes)), stored) {
                return Err(DirectBlock::malformed(block.at, "checksum"));
            }
        }
        self.keep(address, &block);
        Ok(block)
    }

    /// Signature, version and block offset.
    fn check_prefix(&self, block: &Block, sign: &[u8], offset: u64, address_len: u8) -> Result<()> {
        let at = 5 + usize::from(address_len);
        let len = usize::from(self.header.max_heap_bits).div_ceil(8);
        let stored = block.data.get(at..at + len).map(le_uint);
        if !block.data.starts_with(sign) || stored != Some(offset) {
            return Err(DirectBlock::malformed(block.at, "signature or block offset"));
        }
        Ok(())
    }

    fn kept(&self, address: Address) -> Option<Block> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.get(&address).cloned()
    }

    fn keep(&self, address: Address, block: &Block) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= KEPT_BLOCKS {
            blocks.clear();
        }
        blocks.insert(address, block.clone());
    }
}

fn child<'a>(i: &'a [u8], cx: &Context<'_>, filtered: bool) -> Parsed<'a, Child> {
    let (i, address) = field("child address", |i| cx.sizes.address(i)).parse(i)?;
    let stored = cond(filtered, (|i| cx.sizes.length(i), le_u32));
    let (i, filtered) = field("size of a filtered block", stored).parse(i)?;
    Ok((i, Child { address, filtered }))
}

/// Names of the blocks in errors.
struct DirectBlock;
struct IndirectBlock;

impl Structure for DirectBlock {
    const NAME: &'static str = "fractal heap direct block";
    const SPEC: &'static str = "III.G";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        signature(b"FHDB").map(|()| Self).parse(i)
    }
}

impl Structure for IndirectBlock {
    const NAME: &'static str = "fractal heap indirect block";
    const SPEC: &'static str = "III.G";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        signature(b"FHIB").map(|()| Self).parse(i)
    }
}
