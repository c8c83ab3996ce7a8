//! Glue between nom and the file: what stopped a parser, sizes, addresses.

use std::ops::RangeInclusive;

use bytes::Bytes;
use nom::Parser;
use nom::bytes::complete::take;
use nom::error::{ErrorKind, ParseError};
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use crate::checksum::lookup3;
use crate::error::{Error, Result};
use crate::storage::Block;

pub(crate) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Stop<'a>>;

/// Where a parser stopped: the unread bytes, the field, and a value that is not supported.
#[derive(Debug)]
pub(crate) struct Stop<'a> {
    pub(crate) at: &'a [u8],
    pub(crate) field: &'static str,
    pub(crate) found: Option<u64>,
}

impl<'a> ParseError<&'a [u8]> for Stop<'a> {
    fn from_error_kind(at: &'a [u8], _: ErrorKind) -> Self {
        Self { at, field: "", found: None }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// The bytes break the format at `field`.
pub(crate) fn malformed<'a, T>(at: &'a [u8], field: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Stop { at, field, found: None }))
}

/// The value of `field` is one this crate does not know.
pub(crate) fn unsupported<'a, T>(at: &'a [u8], field: &'static str, found: u64) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Stop { at, field, found: Some(found) }))
}

/// Names what stops inside `parser`; the innermost name stays.
pub(crate) fn field<'a, P>(
    name: &'static str,
    mut parser: P,
) -> impl Parser<&'a [u8], Output = P::Output, Error = Stop<'a>>
where
    P: Parser<&'a [u8], Error = Stop<'a>>,
{
    move |i: &'a [u8]| {
        parser.parse(i).map_err(|stop| {
            stop.map(|stop| if stop.field.is_empty() { Stop { field: name, ..stop } } else { stop })
        })
    }
}

/// A version byte; one outside `known` is unsupported, not malformed.
pub(crate) fn version<'a>(
    known: RangeInclusive<u8>,
) -> impl Parser<&'a [u8], Output = u8, Error = Stop<'a>> {
    move |i: &'a [u8]| {
        let (rest, found) = field("version", le_u8).parse(i)?;
        if known.contains(&found) {
            Ok((rest, found))
        } else {
            unsupported(i, "version", found.into())
        }
    }
}

/// Four letters that name a structure.
pub(crate) fn signature<'a>(
    wanted: &'static [u8],
) -> impl Parser<&'a [u8], Output = (), Error = Stop<'a>> {
    field("signature", nom::bytes::complete::tag(wanted).map(|_| ()))
}

/// A little-endian unsigned integer of `width` bytes, 0 to 8.
pub(crate) fn uint<'a>(width: usize) -> impl Parser<&'a [u8], Output = u64, Error = Stop<'a>> {
    move |i: &'a [u8]| match width {
        1 => le_u8.map(u64::from).parse(i),
        2 => le_u16.map(u64::from).parse(i),
        4 => le_u32.map(u64::from).parse(i),
        8 => le_u64.parse(i),
        0..8 => take(width).map(le_uint).parse(i),
        _ => malformed(i, "width of an integer"),
    }
}

/// As many bytes as a length in the file says; it may be more than this machine can address.
pub(crate) fn bytes<'a>(length: u64) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Stop<'a>> {
    // Nothing is as long as the longest slice: the claim fails as one that is too long does.
    take(usize::try_from(length).unwrap_or(usize::MAX))
}

/// The value of up to eight little-endian bytes.
pub(crate) fn le_uint(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Bytes up to a NUL, which is read too.
pub(crate) fn c_string(i: &[u8]) -> Parsed<'_, &[u8]> {
    match i.iter().position(|byte| *byte == 0) {
        Some(len) => (take(len), take(1_usize)).map(|(text, _)| text).parse(i),
        None => malformed(i, "end of a string"),
    }
}

/// `text` without what follows its first NUL.
pub(crate) fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Bytes needed for the numbers up to `max`, at least one.
pub(crate) fn width_of(max: u64) -> usize {
    1 + max.checked_ilog2().unwrap_or(0) as usize / 8
}

/// An address, counted from the base address (II.A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(pub(crate) u64);

/// "Size of Offsets" and "Size of Lengths" of the superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) offsets: u8,
    pub(crate) lengths: u8,
}

impl Sizes {
    /// An address, `None` for the undefined one (all bits set).
    pub(crate) fn address(self, i: &[u8]) -> Parsed<'_, Option<Address>> {
        let (i, value) = uint(self.offsets.into()).parse(i)?;
        Ok((i, (value != ones(self.offsets)).then_some(Address(value))))
    }

    /// An address that must be defined.
    pub(crate) fn defined(self, i: &[u8]) -> Parsed<'_, Address> {
        match self.address(i)? {
            (rest, Some(address)) => Ok((rest, address)),
            (_, None) => malformed(i, "undefined address"),
        }
    }

    pub(crate) fn length(self, i: &[u8]) -> Parsed<'_, u64> {
        uint(self.lengths.into()).parse(i)
    }

    /// A length, `None` for the unlimited one (all bits set).
    pub(crate) fn limited_length(self, i: &[u8]) -> Parsed<'_, Option<u64>> {
        let (i, value) = self.length(i)?;
        Ok((i, (value != ones(self.lengths)).then_some(value)))
    }
}

fn ones(width: u8) -> u64 {
    u64::MAX.checked_shr(64 - 8 * u32::from(width.clamp(1, 8))).unwrap_or(u64::MAX)
}

/// What a parser may ask beside the bytes.
#[derive(Clone, Copy)]
pub(crate) struct Context<'b> {
    pub(crate) sizes: Sizes,
    block: &'b Block,
}

impl<'b> Context<'b> {
    pub(crate) fn new(sizes: Sizes, block: &'b Block) -> Self {
        Self { sizes, block }
    }

    /// `part` of the bytes being parsed, to be kept beyond the parse without a copy.
    pub(crate) fn keep(&self, part: &[u8]) -> Bytes {
        self.block.part(part).data
    }

    /// All the bytes being parsed.
    pub(crate) fn whole(&self) -> Block {
        self.block.clone()
    }

    pub(crate) fn keep_block(&self, part: &[u8]) -> Block {
        self.block.part(part)
    }
}

/// Something that the specification gives a layout for.
pub(crate) trait Structure: Sized {
    /// Its name in the specification.
    const NAME: &'static str;
    /// The section of the specification.
    const SPEC: &'static str;

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self>;

    /// Parses `block`; what stops the parser becomes an error with a file offset here.
    fn read(block: &Block, sizes: Sizes) -> Result<Self> {
        match Self::parse(&block.data, &Context::new(sizes, block)) {
            Ok((_, structure)) => Ok(structure),
            Err(stop) => Err(Self::error(block, stop)),
        }
    }

    /// As [`read`](Self::read), for a structure whose last four bytes are its checksum.
    fn read_checked(block: &Block, sizes: Sizes) -> Result<Self> {
        let structure = Self::read(block, sizes)?;
        verify(block).map_err(|field| Self::malformed(block.at, field))?;
        Ok(structure)
    }

    fn malformed(offset: u64, field: &'static str) -> Error {
        Error::Malformed { structure: Self::NAME, field, spec: Self::SPEC, offset }
    }

    fn error(block: &Block, stop: nom::Err<Stop<'_>>) -> Error {
        let stop = match stop {
            nom::Err::Error(stop) | nom::Err::Failure(stop) => stop,
            // Only streaming parsers say so, and none is used.
            nom::Err::Incomplete(_) => Stop { at: &[], field: "end", found: None },
        };
        if let Some(found) = stop.found {
            return Error::Unsupported { structure: Self::NAME, field: stop.field, found };
        }
        let read = block.data.len().saturating_sub(stop.at.len());
        Self::malformed(block.at + read as u64, stop.field)
    }
}

/// Whether the last four bytes of `block` are the checksum of those before.
pub(crate) fn verify(block: &Block) -> Result<(), &'static str> {
    match block.data.split_last_chunk::<4>() {
        Some((body, sum)) if is_right(lookup3(body), u32::from_le_bytes(*sum)) => Ok(()),
        _ => Err("checksum"),
    }
}

/// Whether a checksum is the one that is stored. To a fuzzer all are, or it would get no further.
pub(crate) fn is_right<T: Copy + PartialEq>(computed: T, stored: T) -> bool {
    cfg!(fuzzing) || computed == stored
}
