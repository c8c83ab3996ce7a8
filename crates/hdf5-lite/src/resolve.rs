//! Other files that a file names: external links, external storage, virtual datasets.

use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use crate::error::Result;
use crate::map;

/// Gives the bytes of files that an HDF5 file names. What names it is not to be trusted.
///
/// ```
/// /// Files that were loaded before.
/// struct Loaded(std::collections::HashMap<String, bytes::Bytes>);
///
/// impl hdf5_lite::Resolver for Loaded {
///     fn resolve(&self, name: &str) -> hdf5_lite::Result<Option<bytes::Bytes>> {
///         Ok(self.0.get(name).cloned())
///     }
/// }
/// ```
pub trait Resolver: Send + Sync {
    /// The bytes of the file `name`; `None` if there is none or it must not be read.
    fn resolve(&self, name: &str) -> Result<Option<Bytes>>;
}

/// Resolves names to files in one folder and below, and nowhere else.
///
/// ```
/// use hdf5_lite::{Folder, Resolver};
/// assert_eq!(Folder::new("data").resolve("/etc/passwd")?, None);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A resolver for the files in `folder`.
    ///
    /// ```
    /// let folder = hdf5_lite::Folder::new("../../fixtures/hdf5");
    /// let file = hdf5_lite::File::options().resolver(folder).open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(*file.dataset("elsewhere")?.read::<f64>()?, [1.0]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }
}

impl Resolver for Folder {
    fn resolve(&self, name: &str) -> Result<Option<Bytes>> {
        let name = Path::new(name);
        let mut parts = name.components();
        let below = parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        // Of a name that would lead out of the folder, the last part may still lie in it.
        let name = if below { Some(name) } else { name.file_name().map(Path::new) };
        let path = name.map(|name| self.0.join(name)).filter(|path| path.is_file());
        path.map(map::map).transpose()
    }
}
