//! Filters: what chunks go through between memory and file.
//!
//! A filter is a unit struct in a file of its own that implements [`Filter`], and a row in
//! `BUILT_IN`. `decode` undoes what the writer's filter did:
//!
//! - `chunk` is the output of the filter behind it in the pipeline, or the stored bytes. It may
//!   be passed on in part (`Cow::Borrowed`), as Fletcher-32 does.
//! - `client_data` are the numbers of the Filter Pipeline message. The file wrote them: any may
//!   be missing or senseless.
//! - `expected` is the length of the whole decoded chunk, and of the output of most filters.
//!   Allocate no more than [`max_len`] of it, and fail rather than return more. What the
//!   stored bytes claim of their own length is not to be trusted either.
//! - Wrong bytes are [`Error::Filter`], made by [`broken`]; wrong `client_data` too.
//!
//! `encode` stands beside it where the filter is written too, and `parameters` makes the
//! `client_data` for it.

mod bits;
mod bitshuffle;
#[cfg(feature = "blosc")]
mod blosc;
#[cfg(feature = "blosc")]
mod blosc2;
mod buffers;
#[cfg(feature = "bzip2")]
mod bzip2;
mod deflate;
mod fletcher32;
#[cfg(feature = "lz4")]
mod lz4;
mod lzf;
#[cfg(feature = "lzo")]
mod lzo;
mod nbit;
mod scaleoffset;
mod shuffle;
mod szip;
#[cfg(feature = "zfp")]
mod zfp;
#[cfg(feature = "zstd")]
mod zstd;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub use buffers::Buffers;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::file::File;
use crate::limits::Limits;
use crate::message::{Datatype, FilterInfo, FilterPipeline};

/// Undoes one filter.
///
/// ```
/// use std::borrow::Cow;
///
/// /// Every bit the other way round.
/// #[derive(Debug)]
/// struct Not;
///
/// impl hdf5_lite::Filter for Not {
///     fn id(&self) -> u16 {
///         40_000
///     }
///
///     fn name(&self) -> &'static str {
///         "not"
///     }
///
///     fn decode<'c>(
///         &self,
///         _client_data: &[u32],
///         mut chunk: Cow<'c, [u8]>,
///         _expected: usize,
///     ) -> hdf5_lite::Result<Cow<'c, [u8]>> {
///         chunk.to_mut().iter_mut().for_each(|byte| *byte = !*byte);
///         Ok(chunk)
///     }
/// }
///
/// let options = hdf5_lite::File::options().filter(Not);
/// ```
pub trait Filter: Send + Sync + fmt::Debug {
    /// The number under which the filter is registered with The HDF Group.
    fn id(&self) -> u16;

    /// The name, for errors.
    fn name(&self) -> &'static str;

    /// The bytes that went into the filter when the chunk was written.
    ///
    /// `expected` is the length of the whole decoded chunk; output much beyond it is refused.
    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>>;

    /// As [`decode`](Self::decode), with memory from `buffers` and back to them.
    ///
    /// For filters that have no memory of their own to use again.
    fn decode_with<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
        buffers: &Buffers,
    ) -> Result<Cow<'c, [u8]>> {
        let _ = buffers;
        self.decode(client_data, chunk, expected)
    }

    /// What to store as client data with a dataset of elements of type `datatype`, in chunks of
    /// `dims` elements, where the caller gave `client_data`: as `set_local` of the C library.
    fn parameters(
        &self,
        client_data: &[u32],
        datatype: &Datatype,
        dims: &[u64],
    ) -> Result<Vec<u32>> {
        let _ = (datatype, dims);
        Ok(client_data.to_vec())
    }

    /// What the filter makes of `chunk` when it is written; `None` if that is no gain, and the
    /// chunk is better stored without.
    ///
    /// A filter that only reads fails.
    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let _ = (client_data, chunk);
        Err(Error::Filter {
            filter: self.name(),
            reason: "its chunks are read, not written".into(),
        })
    }
}

/// The bytes of a chunk.
pub(crate) enum Decoded {
    /// As they are stored.
    Stored(Bytes),
    /// In memory of their own.
    Owned(Vec<u8>),
}

impl Deref for Decoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Stored(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl From<Decoded> for Bytes {
    fn from(decoded: Decoded) -> Self {
        match decoded {
            Decoded::Stored(bytes) => bytes,
            Decoded::Owned(bytes) => bytes.into(),
        }
    }
}

/// The filters of this crate.
static BUILT_IN: &[&dyn Filter] = &[
    &deflate::Deflate,
    &shuffle::Shuffle,
    &fletcher32::Fletcher32,
    &szip::Szip,
    &nbit::Nbit,
    &scaleoffset::ScaleOffset,
    &lzf::Lzf,
    &bitshuffle::Bitshuffle,
    #[cfg(feature = "blosc")]
    &blosc::Blosc,
    #[cfg(feature = "blosc")]
    &blosc2::Blosc2,
    #[cfg(feature = "bzip2")]
    &bzip2::Bzip2,
    #[cfg(feature = "lz4")]
    &lz4::Lz4,
    #[cfg(feature = "lzo")]
    &lzo::Lzo,
    #[cfg(feature = "zfp")]
    &zfp::Zfp,
    #[cfg(feature = "zstd")]
    &zstd::Zstd,
];

/// The filters of this crate, those of the enabled features among them.
///
/// ```
/// let deflate = hdf5_lite::filter::built_in().iter().find(|filter| filter.id() == 1);
/// assert_eq!(deflate.map(|filter| filter.name()), Some("deflate"));
/// ```
pub fn built_in() -> &'static [&'static dyn Filter] {
    BUILT_IN
}

/// The most bytes that a filter may return when the decoded chunk has `expected`.
///
/// Filters that come before others when writing may have made a chunk longer than it was.
///
/// ```
/// assert!(hdf5_lite::filter::max_len(1000) >= 1000);
/// ```
pub fn max_len(expected: usize) -> usize {
    expected.saturating_add(expected / 4).saturating_add(4096)
}

/// The error for a chunk that `filter` rejects.
///
/// ```
/// let filters = hdf5_lite::filter::built_in();
/// let error = hdf5_lite::filter::broken(filters[0], "the chunk is empty");
/// assert_eq!(error.to_string(), "filter deflate: the chunk is empty");
/// ```
pub fn broken(filter: &dyn Filter, reason: impl Into<String>) -> Error {
    Error::Filter { filter: filter.name(), reason: reason.into() }
}

/// Room for `len` bytes of output of `filter`.
fn output(filter: &dyn Filter, len: usize) -> Result<Vec<u8>> {
    let mut output = Vec::new();
    output.try_reserve_exact(len).map_err(|error| broken(filter, error.to_string()))?;
    Ok(output)
}

/// Appends `len` bytes from `distance` before the end of `to`, as codecs of the Lempel-Ziv family
/// do: the copy may overlap itself, and repeats then. `None` if there are not so many.
fn copy_back(to: &mut Vec<u8>, distance: usize, len: usize) -> Option<()> {
    let start = to.len().checked_sub(distance)?;
    if start == to.len() {
        return None;
    }
    let mut left = len;
    while left > 0 {
        // What was copied can be copied too, so the pieces double.
        let piece = left.min(to.len() - start);
        to.extend_from_within(start..start + piece);
        left -= piece;
    }
    Some(())
}

/// A big-endian number of 32 bits that is a length, and what comes behind it.
#[cfg(feature = "lz4")]
fn take_u32(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((rest, usize::try_from(u32::from_be_bytes(*number)).ok()?))
}

/// A big-endian number of 64 bits, and what comes behind it.
#[cfg(feature = "lz4")]
fn take_u64(bytes: &[u8]) -> Option<(&[u8], u64)> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((rest, u64::from_be_bytes(*number)))
}

/// The length of a block before it, as four big-endian bytes.
#[cfg(feature = "lz4")]
fn put_block(filter: &dyn Filter, block: &[u8], to: &mut Vec<u8>) -> Result<()> {
    to.extend_from_slice(&parameter(filter, block.len())?.to_be_bytes());
    to.extend_from_slice(block);
    Ok(())
}

/// The caller's filters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry(Vec<Arc<dyn Filter>>);

impl Registry {
    pub(crate) fn add(&mut self, filter: impl Filter + 'static) {
        self.0.insert(0, Arc::new(filter));
    }

    fn find(&self, id: u16) -> Option<&dyn Filter> {
        let own = self.0.iter().map(|filter| &**filter);
        own.chain(BUILT_IN.iter().copied()).find(|filter| filter.id() == id)
    }

    /// The filters with the client data that they need for a dataset.
    pub(crate) fn complete(
        &self,
        pipeline: &[FilterInfo],
        datatype: &Datatype,
        dims: &[u64],
    ) -> Result<Vec<FilterInfo>> {
        let complete = |info: &FilterInfo| {
            let mut info = info.clone();
            if let Some(filter) = self.find(info.id) {
                info.client_data = filter.parameters(&info.client_data, datatype, dims)?;
            }
            Ok(info)
        };
        pipeline.iter().map(complete).collect()
    }

    /// One chunk through a pipeline. Says which filters were left out, a bit for each.
    pub(crate) fn encode(
        &self,
        pipeline: &[FilterInfo],
        mut chunk: Vec<u8>,
    ) -> Result<(u32, Vec<u8>)> {
        let mut mask = 0;
        for (n, info) in pipeline.iter().enumerate() {
            let encoded = match self.find(info.id) {
                Some(filter) => filter.encode(&info.client_data, &chunk),
                None => Err(Error::UnknownFilter { id: info.id, name: info.name.clone() }),
            };
            match encoded {
                Ok(Some(encoded)) => chunk = encoded,
                Err(error) if !info.optional => return Err(error),
                Ok(None) | Err(_) => {
                    // There are no more than 32.
                    mask |= 1_u32.checked_shl(u32::try_from(n).unwrap_or(0)).unwrap_or(0);
                }
            }
        }
        Ok((mask, chunk))
    }
}

/// A number that client data holds.
fn parameter(filter: &dyn Filter, value: impl TryInto<u32>) -> Result<u32> {
    value.try_into().map_err(|_| broken(filter, "a size that client data cannot hold"))
}

/// The number of elements of a chunk.
fn elements(filter: &dyn Filter, dims: &[u64]) -> Result<u32> {
    let number = dims.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim));
    parameter(filter, number.unwrap_or(u64::MAX))
}

/// Undoes a pipeline on one chunk of `expected` bytes. `mask` has a bit for each filter that
/// was left out when the chunk was written.
pub(crate) fn decode(
    file: &File,
    pipeline: &FilterPipeline,
    mask: u32,
    stored: &Bytes,
    expected: usize,
    buffers: &Buffers,
) -> Result<Decoded> {
    Limits::ask("bytes of a chunk", expected as u64, file.limits().chunk_bytes)?;
    file.limits().ask_read(expected as u64, stored.len() as u64)?;
    let mut chunk = Cow::Borrowed(&stored[..]);
    for (n, info) in pipeline.filters.iter().enumerate().rev() {
        if mask >> n & 1 != 0 {
            continue;
        }
        let filter = file
            .filters()
            .find(info.id)
            .ok_or_else(|| Error::UnknownFilter { id: info.id, name: info.name.clone() })?;
        chunk = filter.decode_with(&info.client_data, chunk, expected, buffers)?;
        if chunk.len() > max_len(expected) {
            return Err(broken(filter, "the chunk is too long"));
        }
    }
    if chunk.len() < expected {
        return Err(Error::Filter {
            filter: "pipeline",
            reason: format!("a chunk of {} bytes, not {expected}", chunk.len()),
        });
    }
    Ok(match chunk {
        Cow::Borrowed(part) => {
            Decoded::Stored(stored.slice_ref(part.get(..expected).unwrap_or(part)))
        }
        Cow::Owned(mut bytes) => {
            bytes.truncate(expected);
            Decoded::Owned(bytes)
        }
    })
}
