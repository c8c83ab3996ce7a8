//! How a file is opened.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::cache::Cache;
use super::{File, Inner};
use crate::error::Result;
use crate::filter::{Filter, Registry};
use crate::limits::Limits;
use crate::map;
use crate::message::DriverInfo;
use crate::resolve::Resolver;
use crate::storage::{Source, Storage};
use crate::superblock::Superblock;

/// How to open a file.
///
/// ```no_run
/// # struct Zip(bytes::Bytes);
/// use hdf5_lite::{File, Folder};
/// let file = File::options().resolver(Folder::new("data")).open("data/virtual.h5")?;
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Options {
    pub(super) limits: Limits,
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) filters: Registry,
}

impl Options {
    /// Bounds on what the file can ask for.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives the other files that this one names. Without one, they are refused.
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Adds a filter, before the built-in one of the same number.
    pub fn filter(mut self, filter: impl Filter + 'static) -> Self {
        self.filters.add(filter);
        self
    }

    /// Opens the file at `path`.
    pub fn open(self, path: impl AsRef<Path>) -> Result<File> {
        self.open_storage(Storage::Bytes(map::map(path)?))
    }

    /// Opens a file that is in memory.
    pub fn from_bytes(self, bytes: impl Into<Bytes>) -> Result<File> {
        self.open_storage(Storage::Bytes(bytes.into()))
    }

    /// Opens a file of which ranges can be read.
    pub fn from_source(self, source: impl Source + 'static) -> Result<File> {
        self.open_storage(Storage::Source(Arc::new(source)))
    }

    fn open_storage(self, storage: Storage) -> Result<File> {
        let (base, superblock) = Superblock::find(&storage)?;
        let Self { limits, resolver, filters } = self;
        let inner = Inner {
            storage,
            base,
            superblock,
            limits,
            resolver,
            filters,
            headers: Cache::default(),
            collections: Cache::default(),
            shared: OnceLock::new(),
        };
        let file = File { inner: Arc::new(inner), nesting: 0, spent: None };
        if let Some(address) = file.inner.superblock.extension
            && let Some(info) = file.header(address)?.find::<DriverInfo>(&file)?
        {
            info.check()?;
        }
        Ok(file)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("limits", &self.limits).finish_non_exhaustive()
    }
}
