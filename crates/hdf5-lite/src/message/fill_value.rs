//! Fill Value messages, old and new: HDF5 File Format Specification 3.0, IV.A.2.e and IV.A.2.f.

use bytes::Bytes;
use nom::Parser;
use nom::multi::length_data;
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, field, version};

/// The value of elements that were never written.
#[derive(Clone, Debug, Default)]
pub(crate) struct FillValue {
    /// One element; empty for the library's default, all zeros.
    pub(crate) value: Bytes,
}

impl Message for FillValue {
    const ID: u16 = 0x0005;
}

impl Structure for FillValue {
    const NAME: &'static str = "Fill Value";
    const SPEC: &'static str = "IV.A.2.f";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, version) = version(1..=3).parse(i)?;
        // When the space is allocated and when the value is written matters to writers only.
        let (i, defined) = if version == 3 {
            field("flags", le_u8).map(|flags| flags & 0x20 != 0).parse(i)?
        } else {
            let (i, _) = field("times", le_u16).parse(i)?;
            field("defined", le_u8).map(|defined| defined != 0).parse(i)?
        };
        if !defined {
            return Ok((i, Self::default()));
        }
        let (i, value) = field("value", length_data(le_u32)).parse(i)?;
        Ok((i, Self { value: cx.keep(value) }))
    }
}

impl Write for FillValue {
    /// Version 3. What is written is allocated; the value is for elements that come later.
    fn write(&self, out: &mut Out) -> Result<()> {
        // Space is allocated late and filled if the user set a value: the library's defaults.
        const TIMES: u8 = 0b1010;
        out.u8(3);
        if self.value.is_empty() {
            out.u8(TIMES);
            return Ok(());
        }
        let len = self.value.len();
        let len = u32::try_from(len).map_err(|_| Self::too_large("value", len as u64))?;
        out.u8(TIMES | 0x20);
        out.u32(len);
        out.bytes(&self.value);
        Ok(())
    }
}

/// The fill value as releases before 1.6 wrote it.
#[derive(Clone, Debug)]
pub(crate) struct FillValueOld {
    pub(crate) value: Bytes,
}

impl Message for FillValueOld {
    const ID: u16 = 0x0004;
}

impl Structure for FillValueOld {
    const NAME: &'static str = "Fill Value (old)";
    const SPEC: &'static str = "IV.A.2.e";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, value) = field("value", length_data(le_u32)).parse(i)?;
        Ok((i, Self { value: cx.keep(value) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn every_version() {
        for version in [1, 2] {
            let message = build().u8(version).u8(2).u8(2).u8(1).u32(2).bytes(&[7, 8]);
            assert_eq!(message.read::<FillValue>().unwrap().value, &[7, 8][..]);
            message.assert_needs_all::<FillValue>();
            // Not defined: a size of -1 may follow.
            let undefined = build().u8(version).u8(2).u8(2).u8(0).u32(u32::MAX);
            assert!(undefined.read::<FillValue>().unwrap().value.is_empty());
        }
        let message = build().u8(3).u8(0x20).u32(2).bytes(&[7, 8]);
        assert_eq!(message.read::<FillValue>().unwrap().value, &[7, 8][..]);
        assert!(build().u8(3).u8(0x10).read::<FillValue>().unwrap().value.is_empty());
        let written = build().u8(3).u8(0x2a).u32(2).bytes(&[7, 8]).block().data;
        assert_eq!(message.read::<FillValue>().unwrap().to_bytes().unwrap(), written);
        assert_eq!(FillValue::default().to_bytes().unwrap(), [3, 0x0a]);
        let old = build().u32(1).u8(9);
        assert_eq!(old.read::<FillValueOld>().unwrap().value, &[9][..]);
        old.assert_needs_all::<FillValueOld>();
    }
}
