//! What a model may ask for: its file only claims sizes.

use crate::{Error, Result};

/// Bounds that hold for each plan: what is over them is an [`Error::LimitExceeded`], and nothing is
/// allocated for it.
///
/// ```
/// use keras_runtime::{Limits, Loader};
/// let limits = Limits { memory: 64 << 20, ..Limits::default() };
/// let model = Loader::new().limits(limits).load("../../fixtures/models/k3_mlp.h5")?;
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all values that are in memory at once while a plan runs, beside the weights as they
    /// lie in the file: 4 GiB by default. Large batches are split long before
    /// ([`Predict::memory`](crate::Predict::memory)).
    pub memory: u64,
    /// Operations of a plan: a million by default. A loop over time has some for each step.
    pub operations: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 4 << 30, operations: 1_000_000 }
    }
}

impl Limits {
    /// Bytes that all values together may take; `None`: more than there are numbers for.
    pub(crate) fn check_memory(&self, what: &str, bytes: Option<u64>) -> Result<()> {
        Self::check(what, bytes.unwrap_or(u64::MAX), self.memory, "bytes")
    }

    pub(crate) fn check_operations(&self, count: usize) -> Result<()> {
        Self::check("the graph", count as u64, self.operations, "operations")
    }

    fn check(what: &str, wanted: u64, limit: u64, unit: &'static str) -> Result<()> {
        if wanted <= limit {
            return Ok(());
        }
        Err(Error::LimitExceeded { what: what.to_owned(), wanted, limit, unit })
    }
}
