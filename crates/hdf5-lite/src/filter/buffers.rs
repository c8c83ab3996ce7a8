//! Memory for decoded chunks, used again for the next chunk.

use std::borrow::Cow;
use std::collections::TryReserveError;
use std::sync::{Mutex, PoisonError};

/// Buffers that wait to be used again, beyond which one is freed.
const KEPT: usize = 64;

/// Vectors that one read uses for all its chunks.
///
/// The system takes long to give fresh memory: longer than shuffling the bytes in it.
#[derive(Debug, Default)]
pub struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty vector with room for `len` bytes.
    pub fn take(&self, len: usize) -> Result<Vec<u8>, TryReserveError> {
        let mut buffer = self.kept().pop().unwrap_or_default();
        buffer.try_reserve_exact(len)?;
        Ok(buffer)
    }

    /// Takes back a vector that is not needed any more.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut kept = self.kept();
        if kept.len() < KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    }

    /// Takes back what a chunk owns.
    pub fn give_chunk(&self, chunk: Cow<'_, [u8]>) {
        if let Cow::Owned(buffer) = chunk {
            self.give(buffer);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
