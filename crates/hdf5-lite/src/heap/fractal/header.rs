//! Header of a fractal heap (III.G).

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::verify;
use nom::number::complete::{le_u8, le_u16, le_u32};

use crate::message::FilterPipeline;
use crate::out::Out;
use crate::parse::{
    Address, Context, Parsed, Structure, field, malformed, signature, uint, version, width_of,
};

/// "Fractal Heap Header".
#[derive(Debug)]
pub(super) struct Header {
    pub(super) id_len: u16,
    pub(super) checksummed: bool,
    pub(super) max_managed: u32,
    pub(super) huge_index: Option<Address>,
    pub(super) table_width: u16,
    pub(super) start_block: u64,
    pub(super) max_direct: u64,
    pub(super) max_heap_bits: u16,
    pub(super) root: Option<Address>,
    pub(super) root_rows: u16,
    pub(super) filtered: Option<Filtered>,
}

/// What a heap says of itself that reading does not need.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    /// Bytes that the root block spans.
    pub(super) space: u64,
    /// Bytes of all direct blocks.
    pub(super) allocated: u64,
    /// What objects could still have of the space, in blocks that are there or not.
    pub(super) free: u64,
    /// Where in the heap's space the next direct block comes.
    pub(super) next_block: u64,
    pub(super) managed_objects: u64,
    pub(super) huge_objects: u64,
    pub(super) huge_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Filtered {
    pub(super) pipeline: FilterPipeline,
    pub(super) root_size: u64,
    pub(super) root_mask: u32,
}

impl Header {
    pub(super) fn max_direct_rows(&self) -> u32 {
        self.max_direct.ilog2() - self.start_block.ilog2() + 2
    }

    /// Bytes of each block in a row: the first two rows are alike, each further one doubles.
    pub(super) fn row_size(&self, row: u32) -> Option<u64> {
        let size = self.start_block.checked_mul(1_u64.checked_shl(row.max(1) - 1).unwrap_or(0));
        size.filter(|size| *size > 0)
    }

    /// Where a row starts in an indirect block's space.
    pub(super) fn row_start(&self, row: u32) -> Option<u64> {
        if row == 0 {
            return Some(0);
        }
        let first = self.start_block.checked_mul(self.table_width.into())?;
        first.checked_mul(1_u64.checked_shl(row - 1)?)
    }

    /// Rows of an indirect block that spans `size` bytes.
    pub(super) fn rows_of(&self, size: u64) -> Option<u32> {
        let first_row = self.start_block.ilog2() + u32::from(self.table_width).ilog2();
        (size.ilog2() + 1).checked_sub(first_row)
    }

    /// Bytes of an offset in the heap's space.
    pub(super) fn offset_len(&self) -> usize {
        usize::from(self.max_heap_bits).div_ceil(8)
    }

    /// Bytes of the length of a managed object.
    pub(super) fn length_len(&self) -> usize {
        width_of(self.max_direct).min(width_of(self.max_managed.into()))
    }

    /// The fields in the order of [`parse`](Structure::parse), `statistics` among them.
    pub(super) fn to_bytes(&self, statistics: &Statistics) -> Vec<u8> {
        let mut out = Out::default();
        out.bytes(b"FRHP");
        out.u8(0);
        out.u16(self.id_len);
        out.u16(0); // no filters
        out.u8(u8::from(self.checksummed) << 1);
        out.u32(self.max_managed);
        out.length(statistics.huge_objects); // the last ID: they count from 1
        out.address(self.huge_index);
        out.length(statistics.free);
        out.address(None); // what is free, the library finds itself
        out.length(statistics.space);
        out.length(statistics.allocated);
        out.length(statistics.next_block);
        out.length(statistics.managed_objects);
        out.length(statistics.huge_bytes);
        out.length(statistics.huge_objects);
        out.zeros(16); // tiny objects
        out.u16(self.table_width);
        out.length(self.start_block);
        out.length(self.max_direct);
        out.u16(self.max_heap_bits);
        out.u16(1);
        out.address(self.root);
        out.u16(self.root_rows);
        out.checksum();
        out.into_bytes()
    }
}

impl Structure for Header {
    const NAME: &'static str = "fractal heap";
    const SPEC: &'static str = "III.G";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let length = |i| cx.sizes.length(i);
        let address = |i| cx.sizes.address(i);
        let (i, ()) = signature(b"FRHP").parse(i)?;
        let (i, _) = version(0..=0).parse(i)?;
        let (i, id_len) = field("heap id length", le_u16).parse(i)?;
        let (i, filters_len) = field("filters' encoded length", le_u16).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let (i, max_managed) = field("maximum size of managed objects", le_u32).parse(i)?;
        let (i, _) = field("next huge object id", length).parse(i)?;
        let (i, huge_index) = field("address of huge objects", address).parse(i)?;
        let (i, _) = field("free space", length).parse(i)?;
        let (i, _) = field("free space manager", address).parse(i)?;
        // Managed space, allocated space, iterator; number and size of objects of each kind.
        let counts = (length, length, length, length, length, length, length, length);
        let (i, _) = field("statistics", counts).parse(i)?;
        let power = |n: &u64| n.is_power_of_two();
        let width = verify(le_u16, |n| n.is_power_of_two());
        let (i, table_width) = field("table width", width).parse(i)?;
        let (i, start_block) = field("starting block size", verify(length, power)).parse(i)?;
        let (i, max_direct) = field("maximum direct block size", verify(length, power)).parse(i)?;
        let bits = verify(le_u16, |bits| (1..=64).contains(bits));
        let (i, max_heap_bits) = field("maximum heap size", bits).parse(i)?;
        let (i, _) = field("starting rows", le_u16).parse(i)?;
        let (i, root) = field("address of root block", address).parse(i)?;
        let (i, root_rows) = field("rows of the root block", le_u16).parse(i)?;
        if start_block > max_direct || u32::from(root_rows) > 64 {
            return malformed(i, "sizes of blocks");
        }
        let (i, filtered) = if filters_len > 0 {
            let (i, root_size) = field("size of filtered root block", length).parse(i)?;
            let (i, root_mask) = field("filter mask", le_u32).parse(i)?;
            let (i, encoded) = field("filters", take(filters_len)).parse(i)?;
            let (_, pipeline) = FilterPipeline::parse(encoded, cx)?;
            (i, Some(Filtered { pipeline, root_size, root_mask }))
        } else {
            (i, None)
        };
        let (i, _) = field("checksum", uint(4)).parse(i)?;
        let checksummed = flags & 2 != 0;
        Ok((
            i,
            Self {
                id_len,
                checksummed,
                max_managed,
                huge_index,
                table_width,
                start_block,
                max_direct,
                max_heap_bits,
                root,
                root_rows,
                filtered,
            },
        ))
    }
}
