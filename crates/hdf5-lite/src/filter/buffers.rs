//! Memory for decoded chunks, used again for the next chunk.

use std::borrow::Cow;
use std::collections::TryReserveError;
use std::sync::{Mutex, PoisonError};

/// Buffers that wait to be used again, beyond which one is freed.
const KEPT: usize = 64;

/// Vectors that one read uses for all its chunks.
///
/// The system takes long to give fresh memory: longer than shuffling the bytes in it.
///
/// ```
/// let buffers = hdf5_lite::filter::Buffers::default();
/// let first = buffers.take(4096).unwrap();
/// buffers.give(first);
/// assert!(buffers.take(100).unwrap().capacity() >= 4096); // the same memory
/// ```
#[derive(Debug, Default)]
pub struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty vector with room for `len` bytes.
    ///
    /// ```
    /// let buffers = hdf5_lite::filter::Buffers::default();
    /// let buffer = buffers.take(100).unwrap();
    /// assert!(buffer.is_empty() && buffer.capacity() >= 100);
    /// ```
    pub fn take(&self, len: usize) -> Result<Vec<u8>, TryReserveError> {
        let mut buffer = self.kept().pop().unwrap_or_default();
        buffer.try_reserve_exact(len)?;
        Ok(buffer)
    }

    /// Takes back a vector that is not needed any more.
    ///
    /// ```
    /// let buffers = hdf5_lite::filter::Buffers::default();
    /// buffers.give(Vec::with_capacity(64));
    /// assert_eq!(buffers.take(10).unwrap().capacity(), 64);
    /// ```
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut kept = self.kept();
        if kept.len() < KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    }

    /// Takes back what a chunk owns.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// let buffers = hdf5_lite::filter::Buffers::default();
    /// buffers.give_chunk(Cow::Borrowed(&[1, 2, 3])); // is the file's: nothing is taken
    /// buffers.give_chunk(Cow::Owned(Vec::with_capacity(64)));
    /// assert_eq!(buffers.take(0).unwrap().capacity(), 64);
    /// ```
    pub fn give_chunk(&self, chunk: Cow<'_, [u8]>) {
        if let Cow::Owned(buffer) = chunk {
            self.give(buffer);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
