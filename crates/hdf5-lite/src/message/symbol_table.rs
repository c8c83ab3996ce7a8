//! Symbol Table message: HDF5 File Format Specification 3.0, IV.A.2.r.

use nom::Parser;

use super::Message;
use crate::parse::{Address, Context, Parsed, Structure, field};

/// Where an "old style" group keeps its links.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SymbolTable {
    pub(crate) btree: Address,
    pub(crate) heap: Address,
}

impl Message for SymbolTable {
    const ID: u16 = 0x0011;
}

impl Structure for SymbolTable {
    const NAME: &'static str = "Symbol Table";
    const SPEC: &'static str = "IV.A.2.r";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, btree) = field("B-tree address", |i| cx.sizes.defined(i)).parse(i)?;
        let (i, heap) = field("local heap address", |i| cx.sizes.defined(i)).parse(i)?;
        Ok((i, Self { btree, heap }))
    }
}
