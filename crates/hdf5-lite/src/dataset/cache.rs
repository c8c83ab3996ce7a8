//! Decoded chunks that reads of parts have in common.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::Result;

/// The chunks used last, up to a number of bytes.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Number in the grid and decoded bytes; the one used last is at the back.
    chunks: VecDeque<(u64, Bytes)>,
    bytes: u64,
}

impl Cache {
    /// The chunk `index`, decoded by `decode` if it is not here. At most `limit` bytes are kept.
    pub(super) fn get(
        &self,
        index: u64,
        limit: u64,
        decode: impl FnOnce() -> Result<Bytes>,
    ) -> Result<Bytes> {
        let found = self.kept().take(index);
        let chunk = match found {
            Some(chunk) => chunk,
            // Others may read meanwhile, and decode the same chunk at worst.
            None => decode()?,
        };
        self.kept().put(index, chunk.clone(), limit);
        Ok(chunk)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take(&mut self, index: u64) -> Option<Bytes> {
        let at = self.chunks.iter().position(|(kept, _)| *kept == index)?;
        let (_, chunk) = self.chunks.remove(at)?;
        self.bytes = self.bytes.saturating_sub(chunk.len() as u64);
        Some(chunk)
    }

    fn put(&mut self, index: u64, chunk: Bytes, limit: u64) {
        self.take(index);
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        self.chunks.push_back((index, chunk));
        while self.bytes > limit {
            let Some((_, oldest)) = self.chunks.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len() as u64);
        }
    }
}

#[test]
fn keeps_what_was_used_last() {
    let cache = Cache::default();
    let decoded = std::cell::Cell::new(0);
    let get = |index| {
        let decode = || {
            decoded.set(decoded.get() + 1);
            Ok(Bytes::from(vec![0; 10]))
        };
        cache.get(index, 20, decode).unwrap();
        decoded.get()
    };
    assert_eq!([get(1), get(2), get(1), get(3)], [1, 2, 2, 3]);
    assert_eq!([get(1), get(2)], [3, 4], "2 was used before 1");
}
