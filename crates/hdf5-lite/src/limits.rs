//! How much a file may make the reader do.

use crate::error::{Error, Result};

/// Bounds on what a file can ask for; crossing one is [`Error::LimitExceeded`].
///
/// The defaults are finite and let any reasonable file through.
///
/// ```
/// let mut limits = hdf5_lite::Limits::default();
/// limits.read_bytes = 1 << 20;
/// let file = hdf5_lite::File::options().limits(limits);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes that one read may return, or hold as variable-length data.
    pub read_bytes: u64,
    /// A read of more than this many bytes must be backed by stored bytes, see `ratio`.
    pub unbacked_bytes: u64,
    /// Returned bytes per stored byte, asked above `unbacked_bytes`.
    pub ratio: u64,
    /// Bytes of one decoded chunk.
    pub chunk_bytes: u64,
    /// Bytes of one object header, all continuation blocks together.
    pub header_bytes: u64,
    /// Bytes of one attribute.
    pub attribute_bytes: u64,
    /// Bytes of decoded chunks that a dataset keeps between reads of parts of it.
    pub cache_bytes: u64,
    /// Bytes of all sources of one read of a virtual dataset.
    pub source_bytes: u64,
    /// Links of one group, attributes of one object, chunks of one dataset.
    pub entries: u64,
    /// Levels of a tree, of nested datatypes, of shared messages and of soft links.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read_bytes: 1 << 36,
            unbacked_bytes: 1 << 27,
            ratio: 256,
            chunk_bytes: 1 << 30,
            header_bytes: 1 << 26,
            attribute_bytes: 1 << 28,
            cache_bytes: 1 << 23,
            source_bytes: 1 << 33,
            entries: 1 << 24,
            depth: 32,
        }
    }
}

impl Limits {
    pub(crate) fn ask(what: &'static str, wanted: u64, limit: u64) -> Result<()> {
        if wanted > limit { Err(Error::LimitExceeded { what, wanted, limit }) } else { Ok(()) }
    }

    /// Asks for `wanted` bytes to be produced from `stored` bytes of the file.
    pub(crate) fn ask_read(&self, wanted: u64, stored: u64) -> Result<()> {
        Self::ask("bytes of one read", wanted, self.read_bytes)?;
        let backed = stored.saturating_mul(self.ratio).max(self.unbacked_bytes);
        Self::ask("bytes produced from few stored bytes", wanted, backed)
    }

    pub(crate) fn ask_entries(&self, what: &'static str, wanted: usize) -> Result<()> {
        Self::ask(what, wanted as u64, self.entries)
    }

    pub(crate) fn ask_depth(&self, what: &'static str, depth: u32) -> Result<()> {
        Self::ask(what, u64::from(depth), u64::from(self.depth))
    }
}
