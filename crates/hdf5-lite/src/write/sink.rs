//! Where raw data goes: into the file at once, or onto a list until its place is known.

use std::io;

use super::array::Data;
use super::chunks::Cut;
use crate::error::Result;
use crate::parse::Address;
use crate::storage::{Source, Window};

/// Bytes asked of a source at a time.
const PIECE: u64 = 1 << 22;

/// Raw data, one piece after the other.
pub(super) struct Sink<'p, 'o> {
    /// Bytes so far.
    at: u64,
    now: Option<&'o mut dyn io::Write>,
    later: Vec<Piece<'p>>,
}

enum Piece<'p> {
    Zeros(u64),
    Data(&'p Data<'p>),
    Owned(Vec<u8>),
    Window(&'p Window),
    Cut(Cut<'p>),
}

impl<'p, 'o> Sink<'p, 'o> {
    /// Writes each piece at once; `at` bytes are written already.
    pub(super) fn now(at: u64, out: &'o mut dyn io::Write) -> Self {
        Self { at, now: Some(out), later: Vec::new() }
    }

    /// Keeps all pieces; they come behind `at` bytes.
    pub(super) fn later(at: u64) -> Self {
        Self { at, now: None, later: Vec::new() }
    }

    /// Bytes so far.
    pub(super) fn end(&self) -> u64 {
        self.at
    }

    /// Zeros up to a multiple of `alignment`.
    pub(super) fn align(&mut self, alignment: u64) -> Result<()> {
        let padding = self.at.next_multiple_of(alignment) - self.at;
        if padding > 0 { self.put(padding, Piece::Zeros(padding)) } else { Ok(()) }
    }

    /// All bytes of `data`; says where they are.
    pub(super) fn data(&mut self, data: &'p Data<'p>) -> Result<Address> {
        let at = Address(self.at);
        self.put(data.len().unwrap_or(0), Piece::Data(data))?;
        Ok(at)
    }

    /// A part of another file; says where it is.
    pub(super) fn window(&mut self, window: &'p Window) -> Result<Address> {
        let at = Address(self.at);
        self.put(window.len, Piece::Window(window))?;
        Ok(at)
    }

    /// Chunks of `len` bytes in all; says where the first one is.
    pub(super) fn cut(&mut self, chunks: Cut<'p>, len: u64) -> Result<Address> {
        let at = Address(self.at);
        self.put(len, Piece::Cut(chunks))?;
        Ok(at)
    }

    /// Bytes that are nowhere else; says where they are.
    pub(super) fn owned(&mut self, bytes: Vec<u8>) -> Result<Address> {
        let at = Address(self.at);
        self.put(bytes.len() as u64, Piece::Owned(bytes))?;
        Ok(at)
    }

    fn put(&mut self, len: u64, piece: Piece<'p>) -> Result<()> {
        self.at = self.at.saturating_add(len);
        if let Some(out) = &mut self.now {
            return piece.write(out);
        }
        self.later.push(piece);
        Ok(())
    }

    /// Writes what was kept.
    pub(super) fn finish(self, out: &mut dyn io::Write) -> Result<()> {
        self.later.iter().try_for_each(|piece| piece.write(out))
    }
}

impl Piece<'_> {
    fn write(&self, out: &mut dyn io::Write) -> Result<()> {
        match self {
            Self::Zeros(len) => {
                io::copy(&mut io::Read::take(io::repeat(0), *len), out)?;
            }
            Self::Owned(bytes) => out.write_all(bytes)?,
            Self::Data(Data::Source(source)) => copy(&**source, out)?,
            Self::Window(window) => copy(*window, out)?,
            Self::Cut(chunks) => chunks.write(out)?,
            Self::Data(data) => out.write_all(data.memory().unwrap_or_default())?,
        }
        Ok(())
    }
}

fn copy(source: &dyn Source, out: &mut dyn io::Write) -> io::Result<()> {
    let mut at = 0;
    while at < source.len() {
        let len = PIECE.min(source.len() - at);
        // A piece is smaller than any memory.
        let bytes = source.read_at(at, usize::try_from(len).unwrap_or(0))?;
        if bytes.len() as u64 != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.write_all(&bytes)?;
        at += len;
    }
    Ok(())
}
