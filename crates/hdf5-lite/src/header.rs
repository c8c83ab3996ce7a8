//! Object headers: HDF5 File Format Specification 3.0, IV.A.1.

use std::collections::VecDeque;
use std::sync::OnceLock;

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::cond;
use nom::number::complete::{le_u8, le_u16, le_u32};

use crate::btree::records::Dense;
use crate::error::{Error, Result};
use crate::file::File;
use crate::group::Links;
use crate::limits::Limits;
use crate::message::{self, Continuation, Message, Shared};
use crate::out::{Out, Write};
use crate::parse::{
    self, Address, Context, Parsed, Structure, field, malformed, signature, uint, version, width_of,
};
use crate::storage::Block;

/// Read at once in the hope that the whole first chunk is in it.
const FIRST_READ: u64 = 512;

/// An object header: its messages, not parsed yet.
#[derive(Debug)]
pub(crate) struct ObjectHeader {
    pub(crate) version: u8,
    /// Seconds after the Unix epoch of the last modification, if version 2 has the times.
    pub(crate) modified: Option<u32>,
    /// Hard links to the object, in version 1; version 2 has a message for it.
    pub(crate) reference_count: Option<u32>,
    /// Messages say the order of their creation; attributes are those that have one.
    pub(crate) ordered: bool,
    /// Where a group keeps its links, once it was opened.
    pub(crate) links: OnceLock<Links>,
    /// Attributes outside of the header, once one was asked for; `None` if there are none.
    pub(crate) dense_attributes: OnceLock<Option<Dense>>,
    chunks: Vec<Block>,
    messages: Vec<RawMessage>,
}

/// A message in one of the chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawMessage {
    pub(crate) id: u16,
    pub(crate) flags: u8,
    pub(crate) creation_order: Option<u16>,
    chunk: usize,
    start: usize,
    len: usize,
}

impl RawMessage {
    /// The body says where the message is: "Shared Message".
    pub(crate) fn is_shared(&self) -> bool {
        self.flags & 2 != 0
    }
}

/// The fields before the messages.
struct Prefix {
    version: u8,
    modified: Option<u32>,
    reference_count: Option<u32>,
    /// Messages of version 2 say the order of their creation.
    ordered: bool,
    /// Bytes of the fields themselves.
    len: usize,
    /// Bytes of the messages in the first chunk.
    chunk: u64,
}

impl ObjectHeader {
    pub(crate) fn read_at(file: &File, address: Address) -> Result<Self> {
        let start = file.read_up_to(address, FIRST_READ)?;
        let prefix = Prefix::read(&start, file.sizes())?;
        let len = (prefix.len as u64).checked_add(prefix.chunk);
        let checksum = if prefix.version == 2 { 4 } else { 0 };
        let len = len.and_then(|len| len.checked_add(checksum));
        let len = len.ok_or_else(|| Prefix::malformed(start.at, "size of chunk 0"))?;
        Limits::ask("bytes of an object header", len, file.limits().header_bytes)?;
        let whole = usize::try_from(len).ok().and_then(|len| start.slice(0, len));
        let first = match whole {
            Some(first) => first,
            None => file.read(address, len)?,
        };
        let mut header = Self {
            version: prefix.version,
            modified: prefix.modified,
            reference_count: prefix.reference_count,
            ordered: prefix.ordered,
            links: OnceLock::new(),
            dense_attributes: OnceLock::new(),
            chunks: Vec::with_capacity(2),
            messages: Vec::with_capacity(12),
        };
        header.add_chunk(first, prefix.len, prefix.ordered)?;
        header.follow(file, address, prefix.ordered)?;
        Ok(header)
    }

    /// Bytes of the first chunk, and of all of them.
    pub(crate) fn lens(&self) -> (usize, u64) {
        let first = self.chunks.first().map_or(0, |chunk| chunk.data.len());
        let all = self.chunks.iter().map(|chunk| chunk.data.len() as u64);
        (first, all.fold(0, u64::saturating_add))
    }

    /// Adds the continuation blocks, and theirs.
    fn follow(&mut self, file: &File, address: Address, ordered: bool) -> Result<()> {
        let mut seen = vec![address];
        let mut bytes = 0_u64;
        let mut from = 0;
        let mut waiting = VecDeque::new();
        loop {
            for message in self.messages.get(from..).unwrap_or_default() {
                if message.id == Continuation::ID {
                    waiting.push_back(Continuation::read(&self.body(message), file.sizes())?);
                }
            }
            from = self.messages.len();
            let Some(Continuation { address, length }) = waiting.pop_front() else { return Ok(()) };
            bytes = bytes.saturating_add(length);
            Limits::ask("bytes of an object header", bytes, file.limits().header_bytes)?;
            let block = file.read(address, length)?;
            if seen.contains(&address) {
                return Err(Continuation::malformed(block.at, "offset leads back"));
            }
            seen.push(address);
            let start = if self.version == 2 {
                if !block.data.starts_with(b"OCHK") {
                    return Err(Continuation::malformed(block.at, "signature"));
                }
                4
            } else {
                0
            };
            self.add_chunk(block, start, ordered)?;
        }
    }

    fn add_chunk(&mut self, block: Block, start: usize, ordered: bool) -> Result<()> {
        let checksum = if self.version == 2 {
            parse::verify(&block).map_err(|field| Prefix::malformed(block.at, field))?;
            4
        } else {
            0
        };
        let end = block.data.len().saturating_sub(checksum);
        let mut rest = block.data.get(start..end).unwrap_or_default();
        let smallest = match (self.version, ordered) {
            (1, _) => 8,
            (_, true) => 6,
            (_, false) => 4,
        };
        // Fewer bytes than a message needs are a gap.
        while rest.len() >= smallest {
            let (next, (id, len, flags, creation_order)) =
                next_message(rest, self.version, ordered).map_err(|stop| {
                    let read = end - rest.len();
                    let inner =
                        Block { at: block.at + read as u64, data: block.data.slice(read..end) };
                    Prefix::error(&inner, stop)
                })?;
            // Flag bit 7: whoever does not know this message does not know the object.
            if flags & 0x80 != 0 && message::name(id).is_none() {
                return Err(Error::Unsupported {
                    structure: Prefix::NAME,
                    field: "message type",
                    found: id.into(),
                });
            }
            let start = end - next.len() - len;
            let chunk = self.chunks.len();
            self.messages.push(RawMessage { id, flags, creation_order, chunk, start, len });
            rest = next;
        }
        self.chunks.push(block);
        Ok(())
    }

    pub(crate) fn messages(&self) -> &[RawMessage] {
        &self.messages
    }

    pub(crate) fn has<M: Message>(&self) -> bool {
        self.messages.iter().any(|message| message.id == M::ID)
    }

    /// All messages of one type.
    pub(crate) fn all<M: Message>(&self) -> impl Iterator<Item = &RawMessage> {
        self.messages.iter().filter(|message| message.id == M::ID)
    }

    pub(crate) fn body(&self, message: &RawMessage) -> Block {
        let block = self.chunks.get(message.chunk);
        // Every message was cut from its chunk.
        block
            .and_then(|block| block.slice(message.start, message.len))
            .unwrap_or(Block { at: 0, data: bytes::Bytes::new() })
    }

    /// The bytes of a message's body, without keeping them.
    pub(crate) fn bytes(&self, message: &RawMessage) -> &[u8] {
        let block = self.chunks.get(message.chunk);
        let range = message.start..message.start + message.len;
        block.and_then(|block| block.data.get(range)).unwrap_or_default()
    }

    /// The first message of a type, wherever it is stored.
    pub(crate) fn find<M: Message>(&self, file: &File) -> Result<Option<M>> {
        match self.all::<M>().next() {
            Some(message) => self.parse(file, message).map(Some),
            None => Ok(None),
        }
    }

    /// As [`find`](Self::find), for a message that the object cannot do without.
    pub(crate) fn need<M: Message>(&self, file: &File) -> Result<M> {
        let at = self.chunks.first().map_or(0, |chunk| chunk.at);
        self.find(file)?.ok_or_else(|| M::malformed(at, "message is missing"))
    }

    /// Parses `message`, following it to where it is shared from.
    pub(crate) fn parse<M: Message>(&self, file: &File, message: &RawMessage) -> Result<M> {
        let body = self.body(message);
        if message.is_shared() { file.shared(&body) } else { M::read(&body, file.sizes()) }
    }
}

/// Type, size, flags and creation order of a message; its body is passed over.
fn next_message(i: &[u8], version: u8, ordered: bool) -> Parsed<'_, (u16, usize, u8, Option<u16>)> {
    if version == 1 {
        let (i, (id, len)) = field("message type and size", (le_u16, le_u16)).parse(i)?;
        let (i, flags) = field("message flags", le_u8).parse(i)?;
        let (i, _) = field("reserved", take(3_usize)).parse(i)?;
        let (i, _) = field("size of a header message", take(len)).parse(i)?;
        return Ok((i, (id, len.into(), flags, None)));
    }
    let (i, id) = field("message type", le_u8).parse(i)?;
    let (i, len) = field("message size", le_u16).parse(i)?;
    let (i, flags) = field("message flags", le_u8).parse(i)?;
    let (i, order) = field("creation order", cond(ordered, le_u16)).parse(i)?;
    let (i, _) = field("size of a header message", take(len)).parse(i)?;
    Ok((i, (id.into(), len.into(), flags, order)))
}

impl Structure for Prefix {
    const NAME: &'static str = "object header";
    const SPEC: &'static str = "IV.A.1";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let whole = i.len();
        if !i.starts_with(b"OHDR") {
            let (i, version) = version(1..=1).parse(i)?;
            let (i, _) = field("reserved", le_u8).parse(i)?;
            let (i, _) = field("number of messages", le_u16).parse(i)?;
            let (i, count) = field("reference count", le_u32).parse(i)?;
            let (i, chunk) = field("header size", le_u32).parse(i)?;
            let (i, _) = field("padding", take(4_usize)).parse(i)?;
            let (len, chunk) = (whole - i.len(), chunk.into());
            let reference_count = Some(count);
            let (modified, ordered) = (None, false);
            return Ok((i, Self { version, modified, reference_count, ordered, len, chunk }));
        }
        let (i, ()) = signature(b"OHDR").parse(i)?;
        let (i, version) = version(2..=2).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        let times = (le_u32, le_u32, le_u32, le_u32);
        let (i, times) = field("times", cond(flags & 0x20 != 0, times)).parse(i)?;
        let (i, _) = field("phase change", cond(flags & 0x10 != 0, (le_u16, le_u16))).parse(i)?;
        let (i, chunk) = field("size of chunk 0", uint(1 << (flags & 3))).parse(i)?;
        if chunk == 0 {
            return malformed(i, "size of chunk 0");
        }
        let modified = times.map(|(_, modified, _, _)| modified);
        let (ordered, len) = (flags & 4 != 0, whole - i.len());
        Ok((i, Self { version, modified, reference_count: None, ordered, len, chunk }))
    }
}

/// The messages of a header that is written, in one chunk.
#[derive(Debug)]
pub(crate) struct Messages {
    out: Out,
    ordered: bool,
}

impl Messages {
    /// `ordered`: attributes say the order of their creation.
    pub(crate) fn new(ordered: bool) -> Self {
        Self { out: Out::default(), ordered }
    }

    pub(crate) fn add<M: Message + Write>(&mut self, message: &M) -> Result<()> {
        self.add_body::<M>(0, 0, message)
    }

    /// A message with its number in the order of creation.
    pub(crate) fn add_ordered<M: Message + Write>(
        &mut self,
        order: u16,
        message: &M,
    ) -> Result<()> {
        self.add_body::<M>(0, order, message)
    }

    /// A message that stands in another header, or elsewhere.
    pub(crate) fn add_shared<M: Message>(&mut self, shared: Shared) -> Result<()> {
        self.add_body::<M>(2, 0, &shared)
    }

    fn add_body<M: Message>(&mut self, flags: u8, order: u16, body: &impl Write) -> Result<()> {
        let too_large = |field, value| Error::TooLarge { structure: M::NAME, field, value };
        let id = u8::try_from(M::ID).map_err(|_| too_large("message type", M::ID.into()))?;
        self.out.u8(id);
        let len_at = self.out.len();
        self.out.u16(0);
        self.out.u8(flags);
        if self.ordered {
            self.out.u16(order);
        }
        let start = self.out.len();
        body.write(&mut self.out)?;
        let len = self.out.len() - start;
        let len = u16::try_from(len).map_err(|_| too_large("message size", len as u64))?;
        self.out.put_u16(len_at, len);
        Ok(())
    }

    /// The header, of version 2 and without times: the same object is the same bytes.
    pub(crate) fn into_header(self) -> Result<Vec<u8>> {
        let messages = self.out.into_bytes();
        let len = messages.len() as u64;
        let (flags, width) = match width_of(len) {
            1 => (0, 1),
            2 => (1, 2),
            3 | 4 => (2, 4),
            _ => {
                let (structure, field) = (Prefix::NAME, "size of chunk 0");
                return Err(Error::TooLarge { structure, field, value: len });
            }
        };
        let mut out = Out::default();
        out.bytes(b"OHDR");
        out.u8(2);
        out.u8(flags | u8::from(self.ordered) << 2);
        out.uint(len, width);
        out.bytes(&messages);
        out.checksum();
        Ok(out.into_bytes())
    }
}

/// An object that its header does not describe.
pub(crate) fn unknown_object(at: u64) -> Error {
    Prefix::malformed(at, "neither a group nor a dataset nor a datatype")
}
