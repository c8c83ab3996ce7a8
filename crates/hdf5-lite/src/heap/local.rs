//! Local heap: HDF5 File Format Specification 3.0, III.D.

use bytes::Bytes;
use nom::Parser;
use nom::bytes::complete::take;

use crate::error::Result;
use crate::file::File;
use crate::limits::Limits;
use crate::out::{Out, Space};
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

/// Writes a heap of `strings`. Says where its header is, and where each string is in it.
pub(crate) fn write_local(strings: &[Bytes], space: &mut Space) -> (Address, Vec<u64>) {
    // The empty string comes first, as in the library's heaps.
    let mut data = Out::default();
    data.zeros(8);
    let mut offsets = Vec::with_capacity(strings.len());
    for string in strings {
        offsets.push(data.len() as u64);
        data.bytes(string);
        data.u8(0);
        data.pad_to(data.len().next_multiple_of(8));
    }
    let size = data.len() as u64;
    let address = space.put(&data.into_bytes());
    let mut header = Out::default();
    header.bytes(b"HEAP");
    header.zeros(4);
    header.length(size);
    header.length(1); // no free block
    header.address(Some(address));
    (space.put(&header.into_bytes()), offsets)
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

#[test]
fn what_is_written_is_read() {
    use crate::out::SIZES;
    let strings = [&b"a.raw"[..], b"", b"a longer name.raw"].map(Bytes::from_static);
    let mut space = Space::new(0);
    let (header, offsets) = write_local(&strings, &mut space);
    let bytes = Bytes::copy_from_slice(space.bytes());
    let at = usize::try_from(header.0).unwrap();
    let header = Block { at: header.0, data: bytes.slice(at..) };
    let Header { size, address } = Header::read(&header, SIZES).unwrap();
    let start = usize::try_from(address.0).unwrap();
    let data = bytes.slice(start..start + usize::try_from(size).unwrap());
    let heap = LocalHeap { data: Block { at: 0, data } };
    for (offset, string) in offsets.into_iter().zip(&strings) {
        assert_eq!(heap.string(offset).unwrap(), string);
    }
}
