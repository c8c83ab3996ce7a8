//! A few things by key; the one not used for longest goes first.

use std::sync::{Mutex, PoisonError};

/// How many are kept.
const KEPT: usize = 16;

/// A few things by key.
#[derive(Debug)]
pub(crate) struct Cache<K, T>(Mutex<Vec<(K, T)>>);

impl<K, T> Default for Cache<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, T: Clone> Cache<K, T> {
    /// The one whose key that holds for.
    pub(crate) fn get(&self, is_it: impl Fn(&K) -> bool) -> Option<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|(key, _)| is_it(key))?;
        let found = all.remove(at);
        let value = found.1.clone();
        all.push(found);
        Some(value)
    }

    pub(crate) fn insert(&self, key: K, value: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            all.remove(0);
        }
        all.push((key, value));
    }

    /// Drops those whose key that does not hold for.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        let all = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(key, _)| is_kept(key));
    }

    pub(crate) fn clear(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
