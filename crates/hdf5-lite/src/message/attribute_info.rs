//! Attribute Info message: HDF5 File Format Specification 3.0, IV.A.2.v.

use nom::Parser;
use nom::combinator::cond;
use nom::number::complete::{le_u8, le_u16};

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Address, Context, Parsed, Structure, field, version};

/// Where an object keeps its attributes when they do not lie in its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeInfo {
    /// The number that the next attribute gets, if they say the order of their creation.
    pub(crate) next: Option<u16>,
    pub(crate) heap: Option<Address>,
    pub(crate) name_index: Option<Address>,
}

impl Message for AttributeInfo {
    const ID: u16 = 0x0015;
}

impl Structure for AttributeInfo {
    const NAME: &'static str = "Attribute Info";
    const SPEC: &'static str = "IV.A.2.v";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let (i, next) = field("maximum creation index", cond(flags & 1 != 0, le_u16)).parse(i)?;
        let (i, heap) = field("fractal heap address", |i| cx.sizes.address(i)).parse(i)?;
        let (i, name_index) = field("name index address", |i| cx.sizes.address(i)).parse(i)?;
        // The index by creation order follows (flag bit 1); its records repeat the name index's.
        Ok((i, Self { next, heap, name_index }))
    }
}

impl Write for AttributeInfo {
    fn write(&self, out: &mut Out) -> Result<()> {
        out.u8(0);
        out.u8(u8::from(self.next.is_some()));
        if let Some(next) = self.next {
            out.u16(next);
        }
        out.address(self.heap);
        out.address(self.name_index);
        Ok(())
    }
}

#[test]
fn optional_fields() {
    use crate::testing::build;
    let message = build().u8(0).u8(1).u16(12).u64(96).undefined();
    message.assert_needs_all::<AttributeInfo>();
    let info: AttributeInfo = message.read().unwrap();
    assert_eq!((info.heap, info.name_index), (Some(Address(96)), None));
    assert_eq!((info.next, info.to_bytes().unwrap()), (Some(12), message.block().data.to_vec()));
    let unordered = build().u8(0).u8(0).u64(96).undefined();
    let info: AttributeInfo = unordered.read().unwrap();
    assert_eq!((info.next, info.to_bytes().unwrap()), (None, unordered.block().data.to_vec()));
}
