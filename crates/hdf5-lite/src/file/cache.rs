//! Structures that were parsed, by address.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::parse::Address;

/// Structures kept.
const KEPT: usize = 64;

/// A few structures by address; a newer one takes the place of an older one.
pub(super) struct Cache<V>(Mutex<Vec<Slot<V>>>);

type Slot<V> = Option<(Address, Arc<V>)>;

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> Cache<V> {
    pub(super) fn get(&self, address: Address, read: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
        // Fibonacci hashing: the high bits of the product depend on all bits of the address.
        let hash = address.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        let slot = usize::try_from(hash).unwrap_or(0);
        let kept = match self.slots().get(slot) {
            Some(Some((at, value))) if *at == address => Some(Arc::clone(value)),
            _ => None,
        };
        if let Some(value) = kept {
            return Ok(value);
        }
        let value = Arc::new(read()?);
        let mut slots = self.slots();
        if slots.is_empty() {
            slots.resize_with(KEPT, || None);
        }
        if let Some(slot) = slots.get_mut(slot) {
            *slot = Some((address, Arc::clone(&value)));
        }
        Ok(value)
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
