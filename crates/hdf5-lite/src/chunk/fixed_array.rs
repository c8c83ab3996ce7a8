//! Fixed array index: HDF5 File Format Specification 3.0, VII.C.

use nom::Parser;
use nom::combinator::verify;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u32};

use super::{Entry, List};
use crate::error::Result;
use crate::limits::Limits;
use crate::parse::{self, Address, Context, Parsed, Structure, field, signature, version};
use crate::storage::Block;

struct Header {
    filtered: bool,
    entry_len: u8,
    page_bits: u8,
    entries: u64,
    data_block: Option<Address>,
}

pub(super) fn list(address: Address, list: &mut List<'_>) -> Result<()> {
    let file = list.file;
    let sizes = file.sizes();
    let len = 12 + u64::from(sizes.lengths) + u64::from(sizes.offsets);
    let block = file.read(address, len)?;
    let header = Header::read_checked(&block, sizes)?;
    let Some(data_block) = header.data_block else { return Ok(()) };
    Limits::ask("chunks of a dataset", header.entries, file.limits().entries)?;

    let prefix = 6 + u64::from(sizes.offsets);
    let entry_len = u64::from(header.entry_len);
    let per_page = 1_u64 << header.page_bits;
    if header.entries <= per_page {
        let block = file.read(data_block, prefix + header.entries * entry_len + 4)?;
        check(&block)?;
        let body = tail(&block, prefix);
        return body.map_or(Ok(()), |body| add(&header, &body, 0, header.entries, list));
    }
    // The block itself says which pages were written; they lie behind it.
    let pages = header.entries.div_ceil(per_page);
    let block = file.read(data_block, prefix + pages.div_ceil(8) + 4)?;
    check(&block)?;
    let bitmap = tail(&block, prefix);
    let mut at = data_block.0.saturating_add(block.data.len() as u64);
    for page in 0..pages {
        let first = page * per_page;
        let entries = per_page.min(header.entries - first);
        let len = entries * entry_len + 4;
        if bitmap.as_ref().is_some_and(|bitmap| is_set(&bitmap.data, page)) {
            let block = file.read(Address(at), len)?;
            parse::verify(&block).map_err(|field| DataBlock::malformed(block.at, field))?;
            add(&header, &block, first, entries, list)?;
        }
        at = at.saturating_add(len);
    }
    Ok(())
}

/// Bit `n` of a page bitmap, the highest bit of the first byte being bit 0.
pub(super) fn is_set(bitmap: &[u8], n: u64) -> bool {
    let byte = usize::try_from(n / 8).ok().and_then(|at| bitmap.get(at));
    byte.is_some_and(|byte| byte << (n % 8) & 0x80 != 0)
}

fn tail(block: &Block, start: u64) -> Option<Block> {
    let start = usize::try_from(start).ok()?;
    block.slice(start, block.data.len().checked_sub(start)?)
}

fn check(block: &Block) -> Result<()> {
    if !block.data.starts_with(b"FADB") {
        return Err(DataBlock::malformed(block.at, "signature"));
    }
    parse::verify(block).map_err(|field| DataBlock::malformed(block.at, field))
}

/// Adds the entries in `body`, the first of which is number `first`.
fn add(header: &Header, body: &Block, first: u64, entries: u64, list: &mut List<'_>) -> Result<()> {
    let cx = Context::new(list.file.sizes(), body);
    let entry = |i| Entry::parse(i, &cx, header.entry_len, header.filtered);
    let number = usize::try_from(entries).unwrap_or(usize::MAX);
    let entries = match count(entry, number).parse(&body.data[..]) {
        Ok((_, entries)) => entries,
        Err(stop) => return Err(DataBlock::error(body, stop)),
    };
    for (entry, index) in entries.into_iter().zip(first..) {
        if entry.address.is_some() {
            entry.add(list, &list.grid.place_of_max(index))?;
        }
    }
    Ok(())
}

impl Structure for Header {
    const NAME: &'static str = "fixed array";
    const SPEC: &'static str = "VII.C";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"FAHD").parse(i)?;
        let (i, _) = version(0..=0).parse(i)?;
        let (i, client) = field("client id", verify(le_u8, |id| *id <= 1)).parse(i)?;
        let filtered = client == 1;
        // A filtered entry has an address, a size of 1 to 8 bytes and a mask.
        let offsets = cx.sizes.offsets;
        let fits = |len: &u8| {
            if filtered { (offsets + 5..=offsets + 12).contains(len) } else { *len == offsets }
        };
        let (i, entry_len) = field("entry size", verify(le_u8, fits)).parse(i)?;
        let bits = verify(le_u8, |bits| *bits <= 32);
        let (i, page_bits) = field("page bits", bits).parse(i)?;
        let (i, entries) = field("max num entries", |i| cx.sizes.length(i)).parse(i)?;
        let (i, data_block) = field("data block address", |i| cx.sizes.address(i)).parse(i)?;
        let (i, _) = field("checksum", le_u32).parse(i)?;
        Ok((i, Self { filtered, entry_len, page_bits, entries, data_block }))
    }
}

struct DataBlock;

impl Structure for DataBlock {
    const NAME: &'static str = "fixed array data block";
    const SPEC: &'static str = "VII.C";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        signature(b"FADB").map(|()| Self).parse(i)
    }
}
