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
    ///
    /// ```
    /// let mut limits = hdf5_lite::Limits::default();
    /// limits.depth = 4;
    /// let file = hdf5_lite::File::options().limits(limits).open("../../fixtures/hdf5/tour_new.h5")?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives the other files that this one names. Without one, they are refused.
    ///
    /// ```
    /// let others = hdf5_lite::Folder::new("../../fixtures/hdf5");
    /// let file = hdf5_lite::File::options().resolver(others).open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(*file.dataset("elsewhere")?.read::<f64>()?, [1.0]); // a link into another file
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Adds a filter, before the built-in one of the same number.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// #[derive(Debug)]
    /// struct Nothing;
    /// impl hdf5_lite::Filter for Nothing {
    ///     fn id(&self) -> u16 {
    ///         65_000
    ///     }
    ///     fn name(&self) -> &'static str {
    ///         "nothing"
    ///     }
    ///     fn decode<'c>(&self, _: &[u32], chunk: Cow<'c, [u8]>, _: usize) -> hdf5_lite::Result<Cow<'c, [u8]>> {
    ///         Ok(chunk)
    ///     }
    /// }
    /// let file = hdf5_lite::File::options().filter(Nothing).open("../../fixtures/hdf5/tour_new.h5")?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn filter(mut self, filter: impl Filter + 'static) -> Self {
        self.filters.add(filter);
        self
    }

    /// Opens the file at `path`.
    ///
    /// ```
    /// let file = hdf5_lite::File::options().open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.root()?.contains("grid")?);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn open(self, path: impl AsRef<Path>) -> Result<File> {
        self.open_storage(Storage::open(path.as_ref())?)
    }

    /// Opens a file that is in memory.
    ///
    /// ```
    /// let bytes = std::fs::read("../../fixtures/hdf5/tour_new.h5")?;
    /// let file = hdf5_lite::File::options().from_bytes(bytes)?;
    /// assert!(file.root()?.contains("grid")?);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn from_bytes(self, bytes: impl Into<Bytes>) -> Result<File> {
        self.open_storage(Storage::bytes(bytes.into()))
    }

    /// Opens a file of which ranges can be read.
    ///
    /// ```
    /// let source = hdf5_lite::Seekable::new(std::fs::File::open("../../fixtures/hdf5/tour_new.h5")?)?;
    /// let file = hdf5_lite::File::options().from_source(source)?;
    /// assert_eq!(*file.dataset("counts")?.read::<u8>()?, [1, 2, 3]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
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
