//! The way back of `parse.rs`: fields become bytes. What is written has addresses and lengths of
//! eight bytes.

use crate::checksum::lookup3;
use crate::error::{Error, Result};
use crate::parse::{Address, Sizes, Structure};

/// Sizes of addresses and lengths in the files that are written.
pub(crate) const SIZES: Sizes = Sizes { offsets: 8, lengths: 8 };

/// A structure that is written too.
pub(crate) trait Write: Structure {
    /// Appends the fields that [`parse`](Structure::parse) reads, in the same order.
    fn write(&self, out: &mut Out) -> Result<()>;

    /// Its bytes.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Out::default();
        self.write(&mut out)?;
        Ok(out.into_bytes())
    }

    /// The error for a value that the format has no room for.
    fn too_large(field: &'static str, value: u64) -> Error {
        Error::TooLarge { structure: Self::NAME, field, value }
    }
}

/// Bytes being put together, little-endian.
#[derive(Clone, Debug, Default)]
pub(crate) struct Out(Vec<u8>);

impl Out {
    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Changes the two bytes at `at`, which are there.
    pub(crate) fn put_u16(&mut self, at: usize, value: u16) {
        let place = self.0.iter_mut().skip(at);
        place.zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// The low `width` bytes of `value`, which are all that it has.
    pub(crate) fn uint(&mut self, value: u64, width: usize) {
        let bytes = value.to_le_bytes();
        self.bytes(bytes.get(..width).unwrap_or(&bytes));
    }

    pub(crate) fn length(&mut self, value: u64) {
        self.u64(value);
    }

    /// An address; all bits set for the undefined one.
    pub(crate) fn address(&mut self, address: Option<Address>) {
        self.u64(address.map_or(u64::MAX, |address| address.0));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn zeros(&mut self, number: usize) {
        self.0.resize(self.0.len() + number, 0);
    }

    /// Zeros up to `len` bytes in all.
    pub(crate) fn pad_to(&mut self, len: usize) {
        self.zeros(len.saturating_sub(self.0.len()));
    }

    /// The checksum of all bytes so far.
    pub(crate) fn checksum(&mut self) {
        self.u32(lookup3(&self.0));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Structures one after the other, the first of them at an address that is known.
#[derive(Debug)]
pub(crate) struct Space {
    start: u64,
    bytes: Vec<u8>,
}

/// Structures start at multiples of this, so that their numbers do too.
const ALIGNMENT: u64 = 8;

impl Space {
    /// From the first whole multiple of eight at or after `start` on.
    pub(crate) fn new(start: u64) -> Self {
        Self { start: start.next_multiple_of(ALIGNMENT), bytes: Vec::new() }
    }

    /// Where the next structure will be.
    pub(crate) fn next(&self) -> Address {
        // No memory holds so many bytes that this overflows.
        Address(self.start.saturating_add(self.bytes.len() as u64))
    }

    /// Where the first structure is.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Address {
        let at = self.next();
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        at
    }

    /// Room for a structure of `len` bytes that is [filled](Self::fill) later.
    pub(crate) fn reserve(&mut self, len: usize) -> Address {
        let at = self.next();
        self.bytes.resize((self.bytes.len() + len).next_multiple_of(8), 0);
        at
    }

    /// The bytes of a structure for which room was reserved.
    pub(crate) fn fill(&mut self, at: Address, bytes: &[u8]) {
        let start = usize::try_from(at.0.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let room = self.bytes.get_mut(start..start.saturating_add(bytes.len()));
        debug_assert!(room.is_some(), "room was reserved");
        if let Some(room) = room {
            room.copy_from_slice(bytes);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
