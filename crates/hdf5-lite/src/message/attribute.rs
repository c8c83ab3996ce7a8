//! Attribute message: HDF5 File Format Specification 3.0, IV.A.2.m.

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::cond;
use nom::number::complete::{le_u8, le_u16};

use super::{CharacterSet, Message};
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, field, until_nul, version};
use crate::storage::Block;

/// An attribute, its datatype and dataspace still messages to be read: either may be shared.
#[derive(Clone, Debug)]
pub(crate) struct AttributeMessage {
    pub(crate) name: Block,
    pub(crate) datatype: Block,
    pub(crate) datatype_is_shared: bool,
    pub(crate) dataspace: Block,
    pub(crate) dataspace_is_shared: bool,
    /// The elements, and what may follow them.
    pub(crate) data: Block,
}

impl Message for AttributeMessage {
    const ID: u16 = 0x000c;
}

/// The fields before the data, borrowed.
struct Start<'a> {
    flags: u8,
    name: &'a [u8],
    datatype: &'a [u8],
    dataspace: &'a [u8],
}

impl AttributeMessage {
    fn start(i: &[u8]) -> Parsed<'_, Start<'_>> {
        let (i, version) = version(1..=3).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let (i, name) = field("name size", le_u16).parse(i)?;
        let (i, datatype) = field("datatype size", le_u16).parse(i)?;
        let (i, dataspace) = field("dataspace size", le_u16).parse(i)?;
        let (i, _) = field("name character set", cond(version == 3, le_u8)).parse(i)?;
        // Version 1 pads each of the three to eight bytes, and has no flags.
        let (flags, pad) = if version == 1 { (0, 8) } else { (flags, 1) };
        let part = |size: u16| take(usize::from(size).next_multiple_of(pad));
        let (i, name) = field("name", part(name)).parse(i)?;
        let (i, datatype) = field("datatype", part(datatype)).parse(i)?;
        let (i, dataspace) = field("dataspace", part(dataspace)).parse(i)?;
        Ok((i, Start { flags, name: until_nul(name), datatype, dataspace }))
    }

    /// The name in a message's body, without parsing the rest.
    pub(crate) fn name_of(body: &[u8]) -> Option<&[u8]> {
        Self::start(body).ok().map(|(_, start)| start.name)
    }
}

impl Structure for AttributeMessage {
    const NAME: &'static str = "Attribute";
    const SPEC: &'static str = "IV.A.2.m";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, start) = Self::start(i)?;
        let attribute = Self {
            name: cx.keep_block(start.name),
            datatype: cx.keep_block(start.datatype),
            datatype_is_shared: start.flags & 1 != 0,
            dataspace: cx.keep_block(start.dataspace),
            dataspace_is_shared: start.flags & 2 != 0,
            data: cx.keep_block(i),
        };
        Ok((&[], attribute))
    }
}

impl Write for AttributeMessage {
    /// Version 3.
    fn write(&self, out: &mut Out) -> Result<()> {
        let len =
            |field, len: usize| u16::try_from(len).map_err(|_| Self::too_large(field, len as u64));
        out.u8(3);
        out.u8(u8::from(self.datatype_is_shared) | u8::from(self.dataspace_is_shared) << 1);
        out.u16(len("name size", self.name.data.len() + 1)?);
        out.u16(len("datatype size", self.datatype.data.len())?);
        out.u16(len("dataspace size", self.dataspace.data.len())?);
        out.u8(CharacterSet::of(&self.name.data).to_bits());
        out.bytes(&self.name.data);
        out.u8(0);
        out.bytes(&self.datatype.data);
        out.bytes(&self.dataspace.data);
        out.bytes(&self.data.data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn versions_1_to_3() {
        let (datatype, space) = (build().bytes(b"datatype!"), build().bytes(b"sp"));
        let sizes = |version, flags| build().u8(version).u8(flags).u16(2).u16(9).u16(2);
        let old = sizes(1, 0).name("a", 8).then(&datatype).zeros(7).then(&space).zeros(6);
        let newer = sizes(2, 3).name("a", 1).then(&datatype).then(&space);
        let newest = sizes(3, 3).u8(1).name("a", 1).then(&datatype).then(&space);
        for (version, message) in (1..).zip([old, newer, newest]) {
            message.assert_needs_all::<AttributeMessage>();
            let message = message.bytes(b"data");
            assert_eq!(AttributeMessage::name_of(&message.block().data), Some(&b"a"[..]));
            let found: AttributeMessage = message.read().unwrap();
            assert!(found.datatype.data.starts_with(b"datatype!"));
            assert!(found.dataspace.data.starts_with(b"sp"));
            assert_eq!(found.data.data, &b"data"[..], "version {version}");
            assert_eq!(found.data.at, 1000 + u64::from(message.len()) - 4);
            assert_eq!(found.datatype_is_shared && found.dataspace_is_shared, version > 1);
            if version > 1 {
                let written = sizes(3, 3).u8(0).name("a", 1).then(&datatype).then(&space);
                let written = written.bytes(b"data").block().data;
                assert_eq!(found.to_bytes().unwrap(), written);
            }
        }
    }
}
