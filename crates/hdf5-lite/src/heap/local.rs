//! Local heap: HDF5 File Format Specification 3.0, III.D.

use nom::Parser;
use nom::bytes::complete::take;

use crate::error::Result;
use crate::file::File;
use crate::limits::Limits;
use crate::parse::{Address, Context, Parsed, Structure, field, signature, until_nul, version};
use crate::storage::Block;

/// Signature, version, two lengths and an address, all of eight bytes at most.
const HEADER_LEN: u64 = 32;

/// The names of an "old style" group's links.
#[derive(Clone, Debug)]
pub(crate) struct LocalHeap {
    data: Block,
}

struct Header {
    size: u64,
    address: Address,
}

impl LocalHeap {
    pub(crate) fn read_at(file: &File, address: Address) -> Result<Self> {
        let header = Header::read(&file.read_up_to(address, HEADER_LEN)?, file.sizes())?;
        Limits::ask("bytes of a local heap", header.size, file.limits().header_bytes)?;
        Ok(Self { data: file.read(header.address, header.size)? })
    }

    /// The string at `offset`.
    pub(crate) fn string(&self, offset: u64) -> Result<&[u8]> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.data.data.get(offset..));
        match rest {
            Some(rest) if rest.contains(&0) => Ok(until_nul(rest)),
            _ => Err(Header::malformed(self.data.at.saturating_add(offset), "offset of a string")),
        }
    }

    /// As [`string`](Self::string), kept without a copy.
    pub(crate) fn keep(&self, offset: u64) -> Result<Block> {
        Ok(self.data.part(self.string(offset)?))
    }
}

impl Structure for Header {
    const NAME: &'static str = "local heap";
    const SPEC: &'static str = "III.D";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"HEAP").parse(i)?;
        let (i, _) = version(0..=0).parse(i)?;
        let (i, _) = field("reserved", take(3_usize)).parse(i)?;
        let (i, size) = field("data segment size", |i| cx.sizes.length(i)).parse(i)?;
        let (i, _) = field("free list", |i| cx.sizes.length(i)).parse(i)?;
        let (i, address) = field("data segment address", |i| cx.sizes.defined(i)).parse(i)?;
        Ok((i, Self { size, address }))
    }
}
