//! Bytes for tests, built by named parts.

use crate::error::{Error, Result};
use crate::parse::{Sizes, Structure};
use crate::storage::Block;

/// Bytes being put together, little-endian.
#[derive(Clone, Debug, Default)]
pub(crate) struct Build(Vec<u8>);

pub(crate) fn build() -> Build {
    Build::default()
}

impl Build {
    pub(crate) fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    pub(crate) fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// An address or a length, of eight bytes here.
    pub(crate) fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn undefined(self) -> Self {
        self.u64(u64::MAX)
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn zeros(self, number: usize) -> Self {
        self.bytes(&vec![0; number])
    }

    /// A text with its NUL, and more of them up to a multiple of `multiple`.
    pub(crate) fn name(self, text: &str, multiple: usize) -> Self {
        let len = (text.len() + 1).next_multiple_of(multiple);
        self.bytes(text.as_bytes()).zeros(len - text.len())
    }

    pub(crate) fn then(self, other: &Self) -> Self {
        self.bytes(&other.0)
    }

    pub(crate) fn len(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap()
    }

    /// As if it lay at byte 1000 of a file.
    pub(crate) fn block(&self) -> Block {
        Block { at: 1000, data: self.0.clone().into() }
    }

    /// Parsed with offsets and lengths of eight bytes.
    pub(crate) fn read<S: Structure>(&self) -> Result<S> {
        S::read(&self.block(), Sizes { offsets: 8, lengths: 8 })
    }

    /// Every shorter input is malformed, at an offset within it.
    pub(crate) fn assert_needs_all<S: Structure>(&self) {
        for len in 0..self.0.len() {
            let short = Self(self.0[..len].to_vec());
            let error = short.read::<S>().err();
            let Some(Error::Malformed { offset, structure, .. }) = error else {
                panic!("{len} of {} bytes: {error:?}", self.0.len());
            };
            assert!((1000..=1000 + len as u64).contains(&offset), "{structure} at {offset}");
        }
    }
}
