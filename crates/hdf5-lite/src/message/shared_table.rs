//! Shared Message Table message: HDF5 File Format Specification 3.0, IV.A.2.p.

use nom::Parser;
use nom::number::complete::le_u8;

use super::Message;
use crate::parse::{Address, Context, Parsed, Structure, field, version};

/// Where the table of shared messages lies; it stands in the superblock extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedMessageTable {
    pub(crate) address: Address,
    pub(crate) indices: u8,
}

impl Message for SharedMessageTable {
    const ID: u16 = 0x000f;
}

impl Structure for SharedMessageTable {
    const NAME: &'static str = "Shared Message Table";
    const SPEC: &'static str = "IV.A.2.p";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        let (i, address) = field("table address", |i| cx.sizes.defined(i)).parse(i)?;
        let (i, indices) = field("number of indices", le_u8).parse(i)?;
        Ok((i, Self { address, indices }))
    }
}
