//! Driver Info message (IV.A.2.u) and the driver information block of old superblocks (II.B).

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{le_u16, le_u32};

use super::Message;
use crate::error::{Error, Result};
use crate::parse::{Context, Parsed, Structure, field, version};

/// The driver that wrote the file: with most of them, the file is one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DriverInfo {
    pub(crate) id: [u8; 8],
}

impl DriverInfo {
    /// An error if the driver spreads addresses over several files. A file of another driver,
    /// as of subfiling with one subfile, may well be whole.
    pub(crate) fn check(self) -> Result<()> {
        let driver = match &self.id {
            b"NCSAfami" => "family",
            b"NCSAmult" => "multi or split",
            _ => return Ok(()),
        };
        Err(Error::FileSet { driver })
    }
}

impl Message for DriverInfo {
    const ID: u16 = 0x0014;
}

impl Structure for DriverInfo {
    const NAME: &'static str = "Driver Info";
    const SPEC: &'static str = "IV.A.2.u";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        let (i, id) = field("driver identification", id).parse(i)?;
        let (i, size) = field("driver information size", le_u16).parse(i)?;
        let (i, _) = field("driver information", take(size)).parse(i)?;
        Ok((i, Self { id }))
    }
}

fn id(i: &[u8]) -> Parsed<'_, [u8; 8]> {
    nom::number::complete::le_u64.map(u64::to_le_bytes).parse(i)
}

/// "Driver Information Block".
pub(crate) struct DriverBlock(pub(crate) DriverInfo);

impl Structure for DriverBlock {
    const NAME: &'static str = "driver information block";
    const SPEC: &'static str = "II.B";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        let (i, _) = field("reserved", take(3_usize)).parse(i)?;
        let (i, _) = field("driver information size", le_u32).parse(i)?;
        let (i, id) = field("driver identification", id).parse(i)?;
        Ok((i, Self(DriverInfo { id })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn drivers_of_several_files_are_refused() {
        for (id, refused) in [(b"NCSAfami", true), (b"NCSAmult", true), (b"Subfilin", false)] {
            let message = build().u8(0).bytes(id).u16(3).zeros(3);
            message.assert_needs_all::<DriverInfo>();
            assert_eq!(message.read::<DriverInfo>().unwrap().check().is_err(), refused);
            let block = build().u8(0).zeros(3).u32(0).bytes(id);
            assert_eq!(block.read::<DriverBlock>().unwrap().0.check().is_err(), refused);
        }
    }
}
