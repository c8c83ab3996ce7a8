//! Global heap: HDF5 File Format Specification 3.0, III.E.

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{le_u16, le_u32};

use crate::error::Result;
use crate::file::File;
use crate::limits::Limits;
use crate::parse::{Address, Context, Parsed, Structure, bytes, field, signature, version};
use crate::storage::Block;

/// "Global Heap ID".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GlobalHeapId {
    pub(crate) collection: Address,
    pub(crate) index: u32,
}

/// One collection: where in its bytes each object lies.
#[derive(Debug)]
pub(crate) struct Collection {
    block: Block,
    /// Index, start and length; ordered by index.
    objects: Vec<(u16, usize, usize)>,
}

struct Header {
    size: u64,
}

impl Collection {
    pub(crate) fn read_at(file: &File, address: Address) -> Result<Self> {
        let start = file.read_up_to(address, 16)?;
        let Header { size } = Header::read(&start, file.sizes())?;
        Limits::ask("bytes of a global heap collection", size, file.limits().read_bytes)?;
        Self::read(&file.read(address, size)?, file.sizes())
    }

    /// The object `index`.
    pub(crate) fn object(&self, index: u32) -> Result<Block> {
        let found = self.objects.binary_search_by_key(&index, |(index, ..)| (*index).into());
        let object = found.ok().and_then(|at| self.objects.get(at));
        object
            .and_then(|(_, start, len)| self.block.slice(*start, *len))
            .ok_or_else(|| Self::malformed(self.block.at, "no object of the index asked for"))
    }
}

impl Structure for Header {
    const NAME: &'static str = "global heap collection";
    const SPEC: &'static str = "III.E";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"GCOL").parse(i)?;
        let (i, _) = version(1..=1).parse(i)?;
        let (i, _) = field("reserved", take(3_usize)).parse(i)?;
        let (i, size) = field("collection size", |i| cx.sizes.length(i)).parse(i)?;
        Ok((i, Self { size }))
    }
}

impl Structure for Collection {
    const NAME: &'static str = Header::NAME;
    const SPEC: &'static str = Header::SPEC;

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let whole = i.len();
        let (i, _) = Header::parse(i, cx)?;
        // Heads of collections and objects are padded to eight bytes, should lengths be shorter.
        let head = 8 + usize::from(cx.sizes.lengths);
        let smallest = head.next_multiple_of(8);
        let pad = || field("padding", take(smallest - head));
        let (mut i, _) = pad().parse(i)?;
        let mut objects = Vec::new();
        while i.len() >= smallest {
            let (rest, (index, _, _)) = field("heap object", (le_u16, le_u16, le_u32)).parse(i)?;
            let (rest, size) = field("object size", |i| cx.sizes.length(i)).parse(rest)?;
            // Object 0 is the free space, to the end.
            if index == 0 {
                break;
            }
            let (rest, _) = pad().parse(rest)?;
            let start = whole - rest.len();
            let (rest, object) = field("object data", bytes(size)).parse(rest)?;
            objects.push((index, start, object.len()));
            let padding = (object.len().next_multiple_of(8) - object.len()).min(rest.len());
            (i, _) = field("padding", take(padding)).parse(rest)?;
        }
        objects.sort_unstable();
        Ok((i, Self { block: cx.whole(), objects }))
    }
}
