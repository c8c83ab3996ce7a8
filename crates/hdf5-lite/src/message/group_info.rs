//! Group Info message: HDF5 File Format Specification 3.0, IV.A.2.k.

use nom::Parser;
use nom::combinator::cond;
use nom::number::complete::{le_u8, le_u16};

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, field, version};

/// Hints for writers of a "new style" group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupInfo;

impl Message for GroupInfo {
    const ID: u16 = 0x000a;
}

impl Structure for GroupInfo {
    const NAME: &'static str = "Group Info";
    const SPEC: &'static str = "IV.A.2.k";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let (i, _) = field("phase change", cond(flags & 1 != 0, (le_u16, le_u16))).parse(i)?;
        let (i, _) = field("estimates", cond(flags & 2 != 0, (le_u16, le_u16))).parse(i)?;
        Ok((i, Self))
    }
}

impl Write for GroupInfo {
    /// Without hints: the library's defaults, from which the writer takes its own.
    fn write(&self, out: &mut Out) -> Result<()> {
        out.u8(0);
        out.u8(0);
        Ok(())
    }
}

#[test]
fn optional_fields() {
    use crate::testing::build;
    build().u8(0).u8(3).zeros(8).assert_needs_all::<GroupInfo>();
    assert!(build().u8(0).u8(0).read::<GroupInfo>().is_ok());
    assert_eq!(GroupInfo.to_bytes().unwrap(), [0, 0]);
}
