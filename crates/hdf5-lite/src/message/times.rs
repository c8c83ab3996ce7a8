//! Small messages about an object: comment (IV.A.2.n), modification time old and new
//! (IV.A.2.o, IV.A.2.s), reference count (IV.A.2.w).

use bytes::Bytes;
use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::map_opt;
use nom::number::complete::le_u32;

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, field, until_nul, version};

/// A note for people.
#[derive(Clone, Debug)]
pub(crate) struct ObjectComment(pub(crate) Bytes);

impl Message for ObjectComment {
    const ID: u16 = 0x000d;
}

impl Structure for ObjectComment {
    const NAME: &'static str = "Object Comment";
    const SPEC: &'static str = "IV.A.2.n";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        Ok((&[], Self(cx.keep(until_nul(i)))))
    }
}

impl Write for ObjectComment {
    fn write(&self, out: &mut Out) -> Result<()> {
        out.bytes(&self.0);
        out.u8(0);
        Ok(())
    }
}

/// Seconds after the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModificationTime(pub(crate) u32);

impl Message for ModificationTime {
    const ID: u16 = 0x0012;
}

impl Structure for ModificationTime {
    const NAME: &'static str = "Object Modification Time";
    const SPEC: &'static str = "IV.A.2.s";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(1..=1).parse(i)?;
        let (i, _) = field("reserved", take(3_usize)).parse(i)?;
        field("seconds", le_u32).map(Self).parse(i)
    }
}

/// Year, month, day, hour, minute and second in decimal digits, in universal time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModificationTimeOld {
    pub(crate) year: u16,
    /// Month, day, hour, minute, second.
    pub(crate) rest: [u8; 5],
}

impl ModificationTimeOld {
    /// Seconds after the Unix epoch; `None` for what is no date of 1970 to 2106.
    pub(crate) fn seconds(self) -> Option<u32> {
        let [month, day, hour, minute, second] = self.rest.map(u32::from);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        // Years from March on, so that leap days come last: 306 days are before January.
        let (year, month) = match month {
            1 | 2 => (u32::from(self.year).checked_sub(1)?, month + 9),
            _ => (self.year.into(), month - 3),
        };
        let leaps = year / 4 - year / 100 + year / 400;
        let days = 365 * year + leaps + (153 * month + 2) / 5 + day - 1;
        let since_epoch = days.checked_sub(719_468)?;
        let of_day = (hour * 60 + minute) * 60 + second;
        since_epoch.checked_mul(86_400)?.checked_add(of_day)
    }
}

impl Message for ModificationTimeOld {
    const ID: u16 = 0x000e;
}

impl Structure for ModificationTimeOld {
    const NAME: &'static str = "Object Modification Time (old)";
    const SPEC: &'static str = "IV.A.2.o";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let digits =
            |len: usize| map_opt(take(len), |text| std::str::from_utf8(text).ok()?.parse().ok());
        let two = || map_opt(take(2_usize), |text| std::str::from_utf8(text).ok()?.parse().ok());
        let (i, year) = field("year", digits(4)).parse(i)?;
        let (i, rest) = field("date", (two(), two(), two(), two(), two())).parse(i)?;
        Ok((i, Self { year, rest: <[u8; 5]>::from(rest) }))
    }
}

/// The number of hard links to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReferenceCount(pub(crate) u32);

impl Message for ReferenceCount {
    const ID: u16 = 0x0016;
}

impl Structure for ReferenceCount {
    const NAME: &'static str = "Object Reference Count";
    const SPEC: &'static str = "IV.A.2.w";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        field("reference count", le_u32).map(Self).parse(i)
    }
}

impl Write for ReferenceCount {
    fn write(&self, out: &mut Out) -> Result<()> {
        out.u8(0);
        out.u32(self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn each_message() {
        let comment = build().name("a comment", 8);
        let read: ObjectComment = comment.read().unwrap();
        assert_eq!(read.0, &b"a comment"[..]);
        assert_eq!(read.to_bytes().unwrap(), b"a comment\0");
        let time = build().u8(1).zeros(3).u32(1_000_000);
        assert_eq!(time.read::<ModificationTime>().unwrap(), ModificationTime(1_000_000));
        time.assert_needs_all::<ModificationTime>();
        let old = build().bytes(b"19991231235958");
        let wanted = ModificationTimeOld { year: 1999, rest: [12, 31, 23, 59, 58] };
        assert_eq!(old.read::<ModificationTimeOld>().unwrap(), wanted);
        assert_eq!(wanted.seconds(), Some(946_684_798));
        let leap = ModificationTimeOld { year: 2024, rest: [2, 29, 0, 0, 0] };
        assert_eq!(leap.seconds(), Some(1_709_164_800));
        assert!(build().bytes(b"1999123123595x").read::<ModificationTimeOld>().is_err());
        let count = build().u8(0).u32(3);
        assert_eq!(count.read::<ReferenceCount>().unwrap(), ReferenceCount(3));
        assert_eq!(ReferenceCount(3).to_bytes().unwrap(), count.block().data);
        count.assert_needs_all::<ReferenceCount>();
    }
}
