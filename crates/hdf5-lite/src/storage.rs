//! Where the bytes of a file lie.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, fs};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::map;

/// A file of which ranges can be read: a remote object, a blob in a browser.
///
/// ```
/// use bytes::Bytes;
/// #[derive(Debug)]
/// struct Remote(Vec<u8>);
///
/// impl hdf5_lite::Source for Remote {
///     fn len(&self) -> u64 {
///         self.0.len() as u64
///     }
///     fn read_at(&self, offset: u64, len: usize) -> std::io::Result<Bytes> {
///         let start = usize::try_from(offset).map_err(std::io::Error::other)?;
///         let range = self.0.get(start..start + len).ok_or(std::io::ErrorKind::UnexpectedEof)?;
///         Ok(Bytes::copy_from_slice(range))
///     }
/// }
/// ```
pub trait Source: Send + Sync + fmt::Debug {
    /// Length of the file in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `len` bytes from `offset` on; the reader asks for ranges inside [`len`](Self::len) only.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes>;
}

/// A [`Source`] over anything that reads and seeks.
///
/// ```
/// use std::io::Cursor;
/// let bytes = std::fs::read("../../fixtures/hdf5/tour_new.h5")?;
/// let source = hdf5_lite::Seekable::new(Cursor::new(bytes))?;
/// let file = hdf5_lite::File::options().from_source(source)?;
/// assert!(file.root()?.contains("grid")?);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Debug)]
pub struct Seekable<R> {
    reader: Mutex<R>,
    len: u64,
}

impl<R: Read + Seek> Seekable<R> {
    /// Asks `reader` for its length, and for nothing else.
    ///
    /// ```
    /// use hdf5_lite::Source;
    /// let source = hdf5_lite::Seekable::new(std::io::Cursor::new(vec![0; 100]))?;
    /// assert_eq!(source.len(), 100);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn new(mut reader: R) -> io::Result<Self> {
        let len = reader.seek(SeekFrom::End(0))?;
        Ok(Self { reader: Mutex::new(reader), len })
    }
}

impl<R: Read + Seek + Send + fmt::Debug> Source for Seekable<R> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        // A reader that panicked is no worse off: every read seeks first.
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        reader.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// The bytes of a file, in memory or behind a [`Source`].
#[derive(Clone)]
pub(crate) enum Storage {
    Memory {
        bytes: Bytes,
        /// The file that `bytes` are a map of.
        file: Option<Arc<fs::File>>,
    },
    Source(Arc<dyn Source>),
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl Storage {
    /// The file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (bytes, file) = map::open(path)?;
        Ok(Self::Memory { bytes, file: file.map(Arc::new) })
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self::Memory { bytes, file: None }
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory { bytes, .. } => bytes.len() as u64,
            Self::Source(source) => source.len(),
        }
    }

    /// `len` as a size in memory, if that many bytes lie at `offset`.
    pub(crate) fn check(&self, offset: u64, len: u64) -> Result<usize> {
        let end = offset.checked_add(len).filter(|end| *end <= self.len());
        end.and_then(|_| usize::try_from(len).ok()).ok_or(Error::Malformed {
            structure: "address",
            field: "reaches past the end of the file",
            spec: "II.A",
            offset,
        })
    }

    /// Exactly `len` bytes from `offset` on; from memory, they are not copied.
    pub(crate) fn read(&self, offset: u64, len: u64) -> Result<Block> {
        let len = self.check(offset, len)?;
        let data = match self {
            // Both fit: they lie within a slice in memory.
            Self::Memory { bytes, .. } => match usize::try_from(offset) {
                Ok(start) => bytes.slice(start..start + len),
                Err(_) => Bytes::new(),
            },
            Self::Source(source) => {
                let bytes = source.read_at(offset, len)?;
                if bytes.len() != len {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                bytes
            }
        };
        Ok(Block { at: offset, data })
    }

    /// As many as `len` bytes, fewer at the end of the file.
    pub(crate) fn read_up_to(&self, offset: u64, len: u64) -> Result<Block> {
        let rest = self.len().saturating_sub(offset);
        self.read(offset, len.min(rest))
    }
}

/// Some bytes of the file, and where in the file they lie.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) at: u64,
    pub(crate) data: Bytes,
}

impl Block {
    /// The part from `start` on, `len` bytes of it.
    pub(crate) fn slice(&self, start: usize, len: usize) -> Option<Self> {
        let end = start.checked_add(len).filter(|end| *end <= self.data.len())?;
        Some(Self { at: self.at + start as u64, data: self.data.slice(start..end) })
    }

    /// The block that `part` of this block's bytes makes.
    pub(crate) fn part(&self, part: &[u8]) -> Self {
        if part.is_empty() {
            return Self { at: self.at, data: Bytes::new() };
        }
        let start = part.as_ptr().addr().saturating_sub(self.data.as_ptr().addr());
        Self { at: self.at + start as u64, data: self.data.slice_ref(part) }
    }
}

/// A part of a storage.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) storage: Storage,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Source for Window {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let block = self.storage.read(self.offset.saturating_add(offset), len as u64);
        block.map(|block| block.data).map_err(io::Error::other)
    }
}
