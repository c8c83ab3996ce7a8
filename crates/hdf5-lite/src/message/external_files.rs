//! External Data Files message: HDF5 File Format Specification 3.0, IV.A.2.h.

use nom::Parser;
use nom::bytes::complete::take;
use nom::multi::count;
use nom::number::complete::le_u16;

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Address, Context, Parsed, Structure, field, version};

/// The list of raw files that hold a dataset's elements.
#[derive(Clone, Debug)]
pub(crate) struct ExternalFiles {
    /// Local heap with the names.
    pub(crate) heap: Address,
    pub(crate) slots: Vec<Slot>,
}

/// A part of one raw file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Where the name lies in the local heap.
    pub(crate) name: u64,
    pub(crate) offset: u64,
    /// `None`: as much as there is.
    pub(crate) size: Option<u64>,
}

impl Message for ExternalFiles {
    const ID: u16 = 0x0007;
}

impl Structure for ExternalFiles {
    const NAME: &'static str = "External Data Files";
    const SPEC: &'static str = "IV.A.2.h";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(1..=1).parse(i)?;
        let (i, _) = field("reserved", take(3_usize)).parse(i)?;
        let (i, _) = field("allocated slots", le_u16).parse(i)?;
        let (i, used) = field("used slots", le_u16).parse(i)?;
        let (i, heap) = field("heap address", |i| cx.sizes.defined(i)).parse(i)?;
        let slot = |i| {
            let (i, name) = cx.sizes.length(i)?;
            let (i, offset) = cx.sizes.length(i)?;
            let (i, size) = cx.sizes.limited_length(i)?;
            Ok((i, Slot { name, offset, size }))
        };
        let (i, slots) = field("slots", count(slot, used.into())).parse(i)?;
        Ok((i, Self { heap, slots }))
    }
}

impl Write for ExternalFiles {
    fn write(&self, out: &mut Out) -> Result<()> {
        let number = self.slots.len();
        let number =
            u16::try_from(number).map_err(|_| Self::too_large("used slots", number as u64))?;
        out.u8(1);
        out.zeros(3);
        out.u16(number);
        out.u16(number);
        out.address(Some(self.heap));
        for slot in &self.slots {
            out.length(slot.name);
            out.length(slot.offset);
            out.length(slot.size.unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn slots_in_use() {
        let message = build().u8(1).zeros(3).u16(2).u16(2).u64(96);
        let message = message.u64(8).u64(0).u64(10).u64(16).u64(4).undefined();
        message.assert_needs_all::<ExternalFiles>();
        let files: ExternalFiles = message.read().unwrap();
        assert_eq!(files.heap, Address(96));
        let sizes: Vec<_> = files.slots.iter().map(|slot| (slot.name, slot.size)).collect();
        assert_eq!(sizes, [(8, Some(10)), (16, None)]);
        assert_eq!(files.to_bytes().unwrap(), message.block().data);
    }
}
