//! Version 2 B-tree index: HDF5 File Format Specification 3.0, VII.E, and the records of types
//! 10 and 11 (III.A.2).

use nom::Parser;
use nom::multi::count;
use nom::number::complete::{le_u32, le_u64};

use super::{Entry, List};
use crate::btree::v2::Tree;
use crate::error::Result;
use crate::parse::{Address, Context, Parsed, Structure, field, malformed};

const UNFILTERED: u8 = 10;
const FILTERED: u8 = 11;

pub(super) fn list(address: Address, list: &mut List<'_>) -> Result<()> {
    let tree = Tree::read_at(list.file, address)?;
    let filtered = match tree.kind() {
        UNFILTERED => false,
        FILTERED => true,
        _ => return Err(tree.malformed("type")),
    };
    let rank = list.grid.chunk.len();
    let entry_len = usize::from(tree.record_len()).checked_sub(8 * rank);
    let entry_len = entry_len.and_then(|len| u8::try_from(len).ok());
    let entry_len = entry_len.ok_or_else(|| tree.malformed("record size"))?;
    tree.for_each(list.file, &mut |record| {
        let cx = Context::new(list.file.sizes(), record);
        match chunk(&record.data, &cx, entry_len, filtered, rank) {
            Ok((_, (entry, place))) => entry.add(list, &place),
            Err(stop) => Err(Record::error(record, stop)),
        }
    })
}

fn chunk<'a>(
    i: &'a [u8],
    cx: &Context<'_>,
    entry_len: u8,
    filtered: bool,
    rank: usize,
) -> Parsed<'a, (Entry, Vec<u64>)> {
    let (i, entry) = Entry::parse(i, cx, entry_len, filtered)?;
    let (i, place) = field("scaled offset", count(le_u64, rank)).parse(i)?;
    Ok((i, (entry, place)))
}

/// Names the records in errors.
struct Record;

impl Structure for Record {
    const NAME: &'static str = "chunk record";
    const SPEC: &'static str = "III.A.2";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        // A record cannot be read without its tree: see `chunk`.
        let (i, _) = field("address", le_u32).parse(i)?;
        malformed(i, "tree")
    }
}
