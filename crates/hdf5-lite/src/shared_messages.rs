//! Shared object header message table: HDF5 File Format Specification 3.0, III.I.

use nom::Parser;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u16, le_u32};

use crate::error::Result;
use crate::file::File;
use crate::heap::FractalHeap;
use crate::message::{FillValue, FillValueOld, Message, SharedMessageTable};
use crate::parse::{Address, Context, Parsed, Structure, field, signature, version};
use crate::storage::Block;

/// The heaps of shared messages, by the types of messages in them.
#[derive(Debug, Default)]
pub(crate) struct SharedMessages {
    heaps: Vec<(u16, FractalHeap)>,
}

impl SharedMessages {
    pub(crate) fn read_at(file: &File, table: SharedMessageTable) -> Result<Self> {
        let sizes = file.sizes();
        // Six numbers of 14 bytes in all, and two addresses.
        let index = 14 + 2 * u64::from(sizes.offsets);
        let len = 4 + u64::from(table.indices) * index + 4;
        let table = Table::read_checked(&file.read(table.address, len)?, sizes)?;
        let mut heaps = Vec::new();
        for Index { types, heap } in table.0 {
            if let Some(heap) = heap {
                heaps.push((types, FractalHeap::read_at(file, heap)?));
            }
        }
        Ok(Self { heaps })
    }

    /// The body of the message of type `id` under a heap ID.
    pub(crate) fn object(&self, file: &File, message: u16, id: &[u8]) -> Result<Block> {
        // The specification numbers the bits 0 to 4. The C library, and so every file, takes the
        // message type for the bit, with both fill values under the new one's.
        let bit = if message == FillValueOld::ID { FillValue::ID } else { message };
        let heap = self
            .heaps
            .iter()
            .find(|(types, _)| types.checked_shr(bit.into()).unwrap_or(0) & 1 != 0);
        let (_, heap) = heap.ok_or_else(|| Table::malformed(0, "index of shared messages"))?;
        heap.object(file, id)
    }
}

struct Table(Vec<Index>);

struct Index {
    /// "Message Type Flags".
    types: u16,
    heap: Option<Address>,
}

impl Structure for Table {
    const NAME: &'static str = "shared message table";
    const SPEC: &'static str = "III.I";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"SMTB").parse(i)?;
        let index = |i| {
            let (i, _) = version(0..=0).parse(i)?;
            let (i, _) = field("index type", le_u8).parse(i)?;
            let (i, types) = field("message type flags", le_u16).parse(i)?;
            let (i, _) = field("minimum message size", le_u32).parse(i)?;
            let (i, _) = field("cutoffs", (le_u16, le_u16)).parse(i)?;
            let (i, _) = field("number of messages", le_u16).parse(i)?;
            let (i, _) = field("index address", |i| cx.sizes.address(i)).parse(i)?;
            let (i, heap) = field("fractal heap address", |i| cx.sizes.address(i)).parse(i)?;
            Ok((i, Index { types, heap }))
        };
        // Signature and checksum are around the indices.
        let per_index = 14 + 2 * usize::from(cx.sizes.offsets);
        let number = i.len().saturating_sub(4) / per_index;
        let (i, indices) = count(index, number).parse(i)?;
        Ok((i, Self(indices)))
    }
}
