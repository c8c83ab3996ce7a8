//! Header of a fractal heap (III.G).

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::verify;
use nom::number::complete::{le_u8, le_u16, le_u32};

use crate::message::FilterPipeline;
use crate::parse::{
    Address, Context, Parsed, Structure, field, malformed, signature, uint, version,
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

    pub(super) fn table_width_log2(&self) -> u32 {
        u32::from(self.table_width).ilog2()
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
