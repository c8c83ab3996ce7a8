//! Object Header Continuation message: HDF5 File Format Specification 3.0, IV.A.2.q.

use nom::Parser;

use super::Message;
use crate::parse::{Address, Context, Parsed, Structure, field};

/// Where an object header goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Continuation {
    pub(crate) address: Address,
    pub(crate) length: u64,
}

impl Message for Continuation {
    const ID: u16 = 0x0010;
}

impl Structure for Continuation {
    const NAME: &'static str = "Object Header Continuation";
    const SPEC: &'static str = "IV.A.2.q";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, address) = field("offset", |i| cx.sizes.defined(i)).parse(i)?;
        let (i, length) = field("length", |i| cx.sizes.length(i)).parse(i)?;
        Ok((i, Self { address, length }))
    }
}
