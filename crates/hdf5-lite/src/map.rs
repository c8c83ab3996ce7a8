//! A file as bytes. The only module with unsafe code.

use std::path::Path;
use std::{fs, io};

use bytemuck::Pod;
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
    Ok(open(path.as_ref())?.0)
}

/// The bytes of the file at `path`, and the file itself if they are a map of it and
/// [`append`] can read it as well.
#[cfg(feature = "mmap")]
#[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
pub(crate) fn open(path: &Path) -> Result<(Bytes, Option<fs::File>)> {
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    // Pipes and devices have no length, and an empty file cannot be mapped everywhere.
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok((fs::read(path)?.into(), None));
    }
    // SAFETY: the map is private to the `Bytes` and read-only. That nobody else changes the
    // file meanwhile cannot be known; the documentation of `map` says so.
    let map = unsafe { memmap2::Mmap::map(&file) }?;
    Ok((Bytes::from_owner(map), cfg!(unix).then_some(file)))
}

#[cfg(not(feature = "mmap"))]
pub(crate) fn open(path: &Path) -> Result<(Bytes, Option<fs::File>)> {
    Ok((fs::read(path)?.into(), None))
}

/// Appends the elements that `len` bytes of `file` from `offset` on are, to memory that is not
/// zeroed before.
#[cfg(all(feature = "mmap", unix))]
#[expect(unsafe_code, reason = "a `Vec` cannot know that the system has written to it")]
pub(crate) fn append<T: Pod>(
    file: &fs::File,
    mut offset: u64,
    len: usize,
    to: &mut Vec<T>,
) -> io::Result<()> {
    let number = len / size_of::<T>().max(1);
    to.reserve(number);
    let room = to.spare_capacity_mut().get_mut(..number).unwrap_or_default();
    // SAFETY: the same memory as bytes, which need not be anything yet in either type.
    let mut room: &mut [std::mem::MaybeUninit<u8>] =
        unsafe { std::slice::from_raw_parts_mut(room.as_mut_ptr().cast(), size_of_val(room)) };
    while !room.is_empty() {
        match rustix::io::pread(file, &mut *room, offset).map(|(read, _)| read.len()) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                room = room.get_mut(read..).unwrap_or_default();
                offset += read as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // SAFETY: there is room for `number` more, all of their bytes were read, and any bytes are
    // a `T: Pod`.
    unsafe { to.set_len(to.len() + number) };
    Ok(())
}

#[cfg(not(all(feature = "mmap", unix)))]
pub(crate) fn append<T: Pod>(_: &fs::File, _: u64, _: usize, _: &mut Vec<T>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
