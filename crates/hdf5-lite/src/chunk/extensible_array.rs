//! Extensible array index: HDF5 File Format Specification 3.0, VII.D.
//!
//! The first elements are in the index block itself. Then come data blocks, grouped by
//! secondary blocks: secondary block `n` has `2^(n/2)` data blocks of `2^((n+1)/2)` times the
//! minimum of elements. Those of the first secondary blocks are listed by the index block.

use nom::Parser;
use nom::combinator::verify;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u32};

use super::fixed_array::is_set;
use super::{Entry, List};
use crate::error::Result;
use crate::limits::Limits;
use crate::parse::{
    self, Address, Context, Parsed, Structure, field, malformed, signature, version,
};
use crate::storage::Block;

struct Header {
    filtered: bool,
    element_len: u8,
    max_bits: u8,
    in_index_block: u8,
    min_elements: u8,
    min_pointers: u8,
    page_bits: u8,
    max_index_set: u64,
    index_block: Option<Address>,
}

impl Header {
    /// Number of data blocks of secondary block `n`, and elements in each.
    fn secondary(&self, n: u32) -> Option<(u64, u64)> {
        let blocks = 1_u64.checked_shl(n / 2)?;
        let elements = 1_u64.checked_shl(n.div_ceil(2))?;
        Some((blocks, elements.checked_mul(self.min_elements.into())?))
    }

    /// Bytes of "Block Offset".
    fn offset_len(&self) -> u64 {
        u64::from(self.max_bits).div_ceil(8)
    }

    fn per_page(&self) -> u64 {
        1 << self.page_bits
    }

    /// Pages of a data block of `elements`; none if it is small.
    fn pages(&self, elements: u64) -> u64 {
        if elements > self.per_page() { elements.div_ceil(self.per_page()) } else { 0 }
    }
}

pub(super) fn list(address: Address, list: &mut List<'_>) -> Result<()> {
    let file = list.file;
    let sizes = file.sizes();
    let (o, l) = (u64::from(sizes.offsets), u64::from(sizes.lengths));
    let block = file.read(address, 16 + 6 * l + o)?;
    let header = Header::read_checked(&block, sizes)?;
    let Some(index_block) = header.index_block else { return Ok(()) };
    Limits::ask("chunks of a dataset", header.max_index_set, file.limits().entries)?;

    let secondaries = u32::from(header.max_bits) + 1 - u32::from(header.min_elements).ilog2();
    // Secondary blocks whose data blocks the index block lists.
    let direct = 2 * u32::from(header.min_pointers).ilog2();
    let data_pointers = 2 * (u64::from(header.min_pointers) - 1);
    let secondary_pointers = u64::from(secondaries.saturating_sub(direct));
    let elements_len = u64::from(header.in_index_block) * u64::from(header.element_len);
    let len = 6 + o + elements_len + (data_pointers + secondary_pointers) * o + 4;
    let block = read_block(list, index_block, len, b"EAIB")?;

    let mut walk = Walk { header: &header, next: 0, list };
    let body = body_of(&block, 6 + o)?;
    walk.elements(&body, header.in_index_block.into())?;
    let mut pointers = walk
        .pointers(&block, 6 + o + elements_len, data_pointers + secondary_pointers)?
        .into_iter();
    for n in 0..secondaries {
        if walk.is_over() {
            break;
        }
        let (blocks, elements) = header.secondary(n).ok_or_else(|| broken("number of elements"))?;
        if n < direct {
            for pointer in pointers.by_ref().take(usize::try_from(blocks).unwrap_or(usize::MAX)) {
                walk.data_block(pointer, elements, None)?;
            }
        } else {
            let pointer = pointers.next().flatten();
            walk.secondary_block(pointer, blocks, elements)?;
        }
    }
    Ok(())
}

/// Reads a block and checks its signature and checksum.
fn read_block(list: &List<'_>, address: Address, len: u64, sign: &[u8]) -> Result<Block> {
    Limits::ask("bytes of an extensible array", len, list.file.limits().read_bytes)?;
    let block = list.file.read(address, len)?;
    if !block.data.starts_with(sign) {
        return Err(ArrayBlock::malformed(block.at, "signature"));
    }
    parse::verify(&block).map_err(|field| ArrayBlock::malformed(block.at, field))?;
    Ok(block)
}

/// A walk over the elements in their order.
struct Walk<'w, 'f> {
    header: &'w Header,
    /// Number of the next element.
    next: u64,
    list: &'w mut List<'f>,
}

impl Walk<'_, '_> {
    /// Whether all elements that were ever set have been met.
    fn is_over(&self) -> bool {
        self.next >= self.header.max_index_set
    }

    fn skip(&mut self, elements: u64) {
        self.next = self.next.saturating_add(elements);
    }

    fn pointers(&self, block: &Block, start: u64, number: u64) -> Result<Vec<Option<Address>>> {
        let body = body_of(block, start)?;
        let sizes = self.list.file.sizes();
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        match count(|i| sizes.address(i), number).parse(&body.data[..]) {
            Ok((_, pointers)) => Ok(pointers),
            Err(stop) => Err(ArrayBlock::error(&body, stop)),
        }
    }

    fn elements(&mut self, body: &Block, number: u64) -> Result<()> {
        let cx = Context::new(self.list.file.sizes(), body);
        let entry = |i| Entry::parse(i, &cx, self.header.element_len, self.header.filtered);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let entries = match count(entry, number).parse(&body.data[..]) {
            Ok((_, entries)) => entries,
            Err(stop) => return Err(ArrayBlock::error(body, stop)),
        };
        for entry in entries {
            if entry.address.is_some() {
                entry.add(self.list, &place(self.list, self.next))?;
            }
            self.skip(1);
        }
        Ok(())
    }

    fn secondary_block(&mut self, at: Option<Address>, blocks: u64, elements: u64) -> Result<()> {
        let Some(address) = at else {
            self.skip(blocks.saturating_mul(elements));
            return Ok(());
        };
        let o = u64::from(self.list.file.sizes().offsets);
        let prefix = 6 + o + self.header.offset_len();
        // A bit for each page of each data block.
        let bitmap_len = self.header.pages(elements).div_ceil(8);
        let len = blocks.checked_mul(bitmap_len + o).and_then(|len| len.checked_add(prefix + 4));
        let len = len.ok_or_else(|| broken("number of data blocks"))?;
        let block = read_block(self.list, address, len, b"EASB")?;
        let bitmaps = body_of(&block, prefix)?;
        let pointers = self.pointers(&block, prefix + blocks * bitmap_len, blocks)?;
        for (pointer, n) in pointers.into_iter().zip(0..) {
            // The bitmaps have room for whole bytes, but their bits come without gaps.
            let pages = (&bitmaps.data[..], n * self.header.pages(elements));
            self.data_block(pointer, elements, Some(pages))?;
        }
        Ok(())
    }

    fn data_block(
        &mut self,
        at: Option<Address>,
        elements: u64,
        bitmap: Option<(&[u8], u64)>,
    ) -> Result<()> {
        let Some(address) = at.filter(|_| !self.is_over()) else {
            self.skip(elements);
            return Ok(());
        };
        let element_len = u64::from(self.header.element_len);
        let prefix = 6 + u64::from(self.list.file.sizes().offsets) + self.header.offset_len();
        let pages = self.header.pages(elements);
        if pages == 0 {
            let len = elements.checked_mul(element_len).and_then(|len| len.checked_add(prefix + 4));
            let len = len.ok_or_else(|| broken("number of elements"))?;
            let block = read_block(self.list, address, len, b"EADB")?;
            let body = body_of(&block, prefix)?;
            return self.elements(&body, elements);
        }
        let block = read_block(self.list, address, prefix + 4, b"EADB")?;
        let page_len = self.header.per_page() * element_len + 4;
        let mut at = address.0.saturating_add(block.data.len() as u64);
        for page in 0..pages {
            let per_page = self.header.per_page();
            if self.is_over() || !bitmap.is_some_and(|(bitmap, first)| is_set(bitmap, first + page))
            {
                self.skip(per_page);
            } else {
                let block = self.list.file.read(Address(at), page_len)?;
                parse::verify(&block).map_err(|field| ArrayBlock::malformed(block.at, field))?;
                self.elements(&block, per_page)?;
            }
            at = at.saturating_add(page_len);
        }
        Ok(())
    }
}

fn broken(field: &'static str) -> crate::Error {
    ArrayBlock::malformed(0, field)
}

fn body_of(block: &Block, start: u64) -> Result<Block> {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let body = block.slice(start, block.data.len().saturating_sub(start));
    body.ok_or_else(|| ArrayBlock::malformed(block.at, "length"))
}

/// Where element `index` is in the grid: the array numbers the chunks with the axis that has
/// no end as the slowest.
fn place(list: &List<'_>, index: u64) -> Vec<u64> {
    let max = &list.grid.max_chunks;
    let endless = max.iter().position(Option::is_none).unwrap_or(0);
    let mut rest = index;
    let mut place = vec![0; max.len()];
    for (axis, (at, chunks)) in place.iter_mut().zip(max).enumerate().rev() {
        if axis != endless {
            let chunks = chunks.unwrap_or(1);
            *at = rest.checked_rem(chunks).unwrap_or(0);
            rest = rest.checked_div(chunks).unwrap_or(0);
        }
    }
    if let Some(at) = place.get_mut(endless) {
        *at = rest;
    }
    place
}

impl Structure for Header {
    const NAME: &'static str = "extensible array";
    const SPEC: &'static str = "VII.D";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"EAHD").parse(i)?;
        let (i, _) = version(0..=0).parse(i)?;
        let (i, client) = field("client id", verify(le_u8, |id| *id <= 1)).parse(i)?;
        let filtered = client == 1;
        let offsets = cx.sizes.offsets;
        let fits = |len: &u8| {
            if filtered { (offsets + 5..=offsets + 12).contains(len) } else { *len == offsets }
        };
        let (i, element_len) = field("element size", verify(le_u8, fits)).parse(i)?;
        let bits = |bits: &u8| (1..=64).contains(bits);
        let (i, max_bits) = field("max nelmts bits", verify(le_u8, bits)).parse(i)?;
        let power = |n: &u8| n.is_power_of_two();
        let (i, in_index_block) = field("index blk elmts", le_u8).parse(i)?;
        let (i, min_elements) = field("data blk min elmts", verify(le_u8, power)).parse(i)?;
        let pointers = verify(le_u8, power);
        let (i, min_pointers) = field("secondary blk min data ptrs", pointers).parse(i)?;
        let page_bits = verify(le_u8, |bits| *bits <= 32);
        let (i, page_bits) = field("max dblk page nelmts bits", page_bits).parse(i)?;
        let length = |i| cx.sizes.length(i);
        let (i, _) = field("statistics", (length, length, length, length)).parse(i)?;
        let (i, max_index_set) = field("max index set", length).parse(i)?;
        let (i, _) = field("number of elements", length).parse(i)?;
        let (i, index_block) = field("index block address", |i| cx.sizes.address(i)).parse(i)?;
        let (i, _) = field("checksum", le_u32).parse(i)?;
        if u32::from(min_elements).ilog2() > u32::from(max_bits) {
            return malformed(i, "data blk min elmts");
        }
        Ok((
            i,
            Self {
                filtered,
                element_len,
                max_bits,
                in_index_block,
                min_elements,
                min_pointers,
                page_bits,
                max_index_set,
                index_block,
            },
        ))
    }
}

/// Names the index, secondary and data blocks in errors.
struct ArrayBlock;

impl Structure for ArrayBlock {
    const NAME: &'static str = "extensible array block";
    const SPEC: &'static str = "VII.D";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        malformed(i, "signature")
    }
}
