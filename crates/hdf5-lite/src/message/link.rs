//! Link message: HDF5 File Format Specification 3.0, IV.A.2.g.

use bytes::Bytes;
use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::cond;
use nom::multi::length_data;
use nom::number::complete::{le_u8, le_u16, le_u64};

use super::{CharacterSet, Message};
use crate::error::Result;
use crate::group::LinkTarget;
use crate::object::ObjectAddress;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, c_string, field, unsupported, until_nul, version};
use crate::parse::{bytes, uint, width_of};

/// One link of a "new style" group.
#[derive(Clone, Debug)]
pub(crate) struct LinkMessage {
    pub(crate) name: Bytes,
    pub(crate) creation_order: Option<u64>,
    pub(crate) target: LinkTarget,
}

impl Message for LinkMessage {
    const ID: u16 = 0x0006;
}

impl LinkMessage {
    /// The fields up to the name; the name is all that a lookup wants of most links.
    fn start(i: &[u8]) -> Parsed<'_, (u8, Option<u64>, &[u8])> {
        let (i, _) = version(1..=1).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let (i, kind) = field("link type", cond(flags & 8 != 0, le_u8)).parse(i)?;
        let (i, order) = field("creation order", cond(flags & 4 != 0, le_u64)).parse(i)?;
        let (i, _) = field("character set", cond(flags & 16 != 0, le_u8)).parse(i)?;
        let width = 1 << (flags & 3);
        let (i, name) = field("link name", uint(width).flat_map(bytes)).parse(i)?;
        Ok((i, (kind.unwrap_or(0), order, name)))
    }

    /// The name in a message's body, without parsing the rest.
    pub(crate) fn name_of(body: &[u8]) -> Option<&[u8]> {
        Self::start(body).ok().map(|(_, (_, _, name))| name)
    }
}

impl Structure for LinkMessage {
    const NAME: &'static str = "Link";
    const SPEC: &'static str = "IV.A.2.g";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, (kind, creation_order, name)) = Self::start(i)?;
        let name = cx.keep(name);
        let (i, target) = match kind {
            0 => field("object header address", |i| cx.sizes.defined(i))
                .map(|address| LinkTarget::Hard(ObjectAddress(address)))
                .parse(i)?,
            1 => field("soft link value", length_data(le_u16))
                .map(|path| LinkTarget::Soft(cx.keep(until_nul(path))))
                .parse(i)?,
            64 => {
                let (i, value) = field("external link value", length_data(le_u16)).parse(i)?;
                let (_, target) = external(value, cx)?;
                (i, target)
            }
            65.. => field("user-defined link value", length_data(le_u16))
                .map(|data| LinkTarget::UserDefined { kind, data: cx.keep(data) })
                .parse(i)?,
            _ => return unsupported(i, "link type", kind.into()),
        };
        Ok((i, Self { name, creation_order, target }))
    }
}

impl Write for LinkMessage {
    fn write(&self, out: &mut Out) -> Result<()> {
        let kind = match &self.target {
            LinkTarget::Hard(_) => 0,
            LinkTarget::Soft(_) => 1,
            LinkTarget::External { .. } => 64,
            LinkTarget::UserDefined { kind, .. } => *kind,
        };
        let character_set = CharacterSet::of(&self.name);
        // The number of bytes of the name's length as a power of two: 1, 2, 4 or 8.
        let width = width_of(self.name.len() as u64).next_power_of_two();
        let mut flags = u8::try_from(width.ilog2()).unwrap_or(3);
        flags |= if kind == 0 { 0 } else { 8 };
        flags |= if self.creation_order.is_some() { 4 } else { 0 };
        flags |= if character_set == CharacterSet::Ascii { 0 } else { 16 };
        out.u8(1);
        out.u8(flags);
        if kind != 0 {
            out.u8(kind);
        }
        if let Some(order) = self.creation_order {
            out.u64(order);
        }
        if character_set != CharacterSet::Ascii {
            out.u8(character_set.to_bits());
        }
        out.uint(self.name.len() as u64, width);
        out.bytes(&self.name);
        match &self.target {
            LinkTarget::Hard(address) => out.address(Some(address.0)),
            LinkTarget::Soft(path) => value(out, "soft link value", &[path])?,
            LinkTarget::External { file, path } => {
                value(out, "external link value", &[&[0], file, &[0], path, &[0]])?;
            }
            LinkTarget::UserDefined { data, .. } => value(out, "user-defined link value", &[data])?,
        }
        Ok(())
    }
}

/// The `parts` of a value, behind their length.
fn value(out: &mut Out, field: &'static str, parts: &[&[u8]]) -> Result<()> {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    let short = u16::try_from(len).map_err(|_| LinkMessage::too_large(field, len as u64))?;
    out.u16(short);
    parts.iter().for_each(|part| out.bytes(part));
    Ok(())
}

/// Version and flags in one byte, both zero, and two strings.
fn external<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, LinkTarget> {
    let (i, _) = field("external link version", take(1_usize)).parse(i)?;
    let (i, file) = field("external link file", c_string).parse(i)?;
    // Some writers leave out the NUL at the very end.
    let path = until_nul(i);
    Ok((&[], LinkTarget::External { file: cx.keep(file), path: cx.keep(path) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::SIZES;
    use crate::parse::Address;
    use crate::storage::Block;
    use crate::testing::{Build, build};

    fn target(message: &Build) -> LinkTarget {
        message.assert_needs_all::<LinkMessage>();
        let link: LinkMessage = message.read().unwrap();
        assert_eq!(link.name, &b"name"[..]);
        let written = Block { at: 0, data: link.to_bytes().unwrap().into() };
        let again = LinkMessage::read(&written, SIZES).unwrap();
        assert_eq!((again.name, again.creation_order), (link.name, link.creation_order));
        assert_eq!(again.target, link.target);
        link.target
    }

    #[test]
    fn every_kind_of_link() {
        let hard = build().u8(1).u8(0).u8(4).bytes(b"name").u64(96);
        assert_eq!(target(&hard), LinkTarget::Hard(ObjectAddress(Address(96))));

        // With type, creation order, character set, and a name length of two bytes.
        let soft = build().u8(1).u8(0x1d).u8(1).u64(7).u8(1).u16(4).bytes(b"name");
        let soft = soft.u16(3).bytes(b"/to");
        assert_eq!(target(&soft), LinkTarget::Soft(Bytes::from_static(b"/to")));
        assert_eq!(soft.read::<LinkMessage>().unwrap().creation_order, Some(7));

        let value = build().u8(0).name("f.h5", 1).name("/x", 1);
        let external =
            build().u8(1).u8(8).u8(64).u8(4).bytes(b"name").u16(value.len()).then(&value);
        let LinkTarget::External { file, path } = target(&external) else { panic!() };
        assert_eq!((&file[..], &path[..]), (&b"f.h5"[..], &b"/x"[..]));

        let own = build().u8(1).u8(8).u8(200).u8(4).bytes(b"name").u16(2).bytes(b"ab");
        let LinkTarget::UserDefined { kind, data } = target(&own) else { panic!() };
        assert_eq!((kind, &data[..]), (200, &b"ab"[..]));
    }

    #[test]
    fn names_of_any_length() {
        for (len, sized) in [(3, 1), (300, 2), (70_000, 4)] {
            let name = Bytes::from("\u{e9}".repeat(len));
            let target = LinkTarget::Hard(ObjectAddress(Address(96)));
            let link = LinkMessage { name, creation_order: None, target };
            let written = Block { at: 0, data: link.to_bytes().unwrap().into() };
            assert_eq!(written.data.len(), 2 + 1 + sized + 2 * len + 8);
            assert_eq!(LinkMessage::read(&written, SIZES).unwrap().name, link.name);
        }
    }
}
