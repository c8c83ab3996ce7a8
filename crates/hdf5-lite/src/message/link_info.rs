//! Link Info message: HDF5 File Format Specification 3.0, IV.A.2.c.

use nom::Parser;
use nom::combinator::cond;
use nom::number::complete::{le_u8, le_u64};

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Address, Context, Parsed, Structure, field, version};

/// Where a "new style" group keeps its links when they do not lie in its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkInfo {
    /// The number that the next link gets, if links say the order of their creation.
    pub(crate) next: Option<u64>,
    pub(crate) heap: Option<Address>,
    pub(crate) name_index: Option<Address>,
}

impl Message for LinkInfo {
    const ID: u16 = 0x0002;
}

impl Structure for LinkInfo {
    const NAME: &'static str = "Link Info";
    const SPEC: &'static str = "IV.A.2.c";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let (i, next) = field("maximum creation index", cond(flags & 1 != 0, le_u64)).parse(i)?;
        let (i, heap) = field("fractal heap address", |i| cx.sizes.address(i)).parse(i)?;
        let (i, name_index) = field("name index address", |i| cx.sizes.address(i)).parse(i)?;
        // The index by creation order follows (flag bit 1); links say their order themselves.
        Ok((i, Self { next, heap, name_index }))
    }
}

impl Write for LinkInfo {
    fn write(&self, out: &mut Out) -> Result<()> {
        out.u8(0);
        out.u8(u8::from(self.next.is_some()));
        if let Some(next) = self.next {
            out.u64(next);
        }
        out.address(self.heap);
        out.address(self.name_index);
        Ok(())
    }
}

#[test]
fn optional_fields() {
    use crate::testing::build;
    let message = build().u8(0).u8(1).u64(12).u64(96).undefined();
    message.assert_needs_all::<LinkInfo>();
    let info: LinkInfo = message.read().unwrap();
    assert_eq!((info.heap, info.name_index), (Some(Address(96)), None));
    assert_eq!((info.next, info.to_bytes().unwrap()), (Some(12), message.block().data.to_vec()));
    let unordered = build().u8(0).u8(0).u64(96).undefined();
    let info: LinkInfo = unordered.read().unwrap();
    assert_eq!((info.next, info.to_bytes().unwrap()), (None, unordered.block().data.to_vec()));
}
