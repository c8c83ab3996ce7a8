//! A file as bytes. The only module with unsafe code.

use std::fs;
use std::path::Path;

use bytes::Bytes;

use crate::error::Result;

/// Maps the file at `path`; without the feature `mmap` it is read instead.
///
/// Who changes the file while it is mapped changes the bytes: a truncation then ends the
/// process on most systems, as with any map.
///
/// ```
/// let bytes = hdf5_lite::map("../../fixtures/hdf5/tour_new.h5")?;
/// assert_eq!(&bytes[1..4], b"HDF");
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
pub fn map(path: impl AsRef<Path>) -> Result<Bytes> {
    bytes_of(path.as_ref())
}

#[cfg(feature = "mmap")]
#[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
fn bytes_of(path: &Path) -> Result<Bytes> {
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    // Pipes and devices have no length, and an empty file cannot be mapped everywhere.
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(fs::read(path)?.into());
    }
    // SAFETY: the map is private to the `Bytes` and read-only. That nobody else changes the
    // file meanwhile cannot be known; the documentation of `map` says so.
    let map = unsafe { memmap2::Mmap::map(&file) }?;
    Ok(Bytes::from_owner(map))
}

#[cfg(not(feature = "mmap"))]
fn bytes_of(path: &Path) -> Result<Bytes> {
    Ok(fs::read(path)?.into())
}
