//! Files being written: a tree of objects, and where everything goes.
//!
//! The format is that of HDF5 1.8: superblock 2, object headers of version 2, links in messages,
//! and chunks under the B-trees of version 1. Every release since 2008 reads it and goes on
//! editing it; nearly all metadata has checksums; any number of links, and attributes of any size,
//! have their place in fractal heaps. What came later (virtual datasets, the references of HDF5
//! 1.12, the complex numbers of 2.0) is written only where it is asked for by name, or copied.
//!
//! | part | has |
//! |---|---|
//! | superblock | where the root group is |
//! | raw data | elements, in the order in which the datasets were made |
//! | object headers | in the order in which the objects were made |
//! | global heap | values of variable length |
//! | raw data with addresses in it | elements of variable length, references |
//! | indexes | B-trees, fractal heaps |
//!
//! Raw data comes first, so that chunks can be compressed and written one after the other: their
//! sizes are known when the metadata behind them says where they are. The superblock alone says
//! something of the end. Where the sink can be sought in, it is written last; where not, the
//! compressed chunks wait in memory.

mod array;
mod chunks;
mod copy;
mod dataset;
mod group;
mod header;
mod layout;
mod relocate;
mod replace;
mod sink;
mod tree;
mod value;

use std::io;

pub use array::Array;
pub use dataset::DatasetMut;
pub use group::GroupMut;

use crate::error::Result;
use crate::file::File;
use crate::filter::{Filter, Registry};
use crate::heap::GlobalHeap;
use relocate::Patches;
use tree::Node;

/// An HDF5 file to be written.
///
/// Describe the whole tree, then write it. Elements are borrowed until then, and never copied as
/// a whole; the same tree gives the same bytes.
///
/// ```
/// use hdf5_lite::{Array, File, Writer};
/// let kernel = vec![0.25_f32; 6 * 8];
///
/// let mut file = Writer::new();
/// let mut dense = file.group("model_weights/dense")?; // and what is missing on the way
/// dense.set_attr("weight_names", ["kernel:0"])?;
/// dense
///     .dataset("kernel:0", Array::new([6, 8], &kernel))?
///     .chunks([3, 8])
///     .shuffle()
///     .deflate(4)
///     .set_attr("trainable", true)?;
/// let bytes = file.to_bytes()?; // or write_to(path), or write(&mut stream)
///
/// let file = File::from_bytes(bytes)?;
/// assert_eq!(*file.dataset("model_weights/dense/kernel:0")?.read::<f32>()?, kernel);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
///
/// The result is in the format of HDF5 1.8, which every later release reads.
#[derive(Debug)]
pub struct Writer<'a> {
    nodes: Vec<Node<'a>>,
    heap: GlobalHeap,
    /// Objects of the heap that hold addresses themselves.
    patches: Patches,
    filters: Registry,
}

impl Default for Writer<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Writer<'a> {
    /// A file with an empty root group.
    ///
    /// ```
    /// let bytes = hdf5_lite::Writer::new().to_bytes()?;
    /// assert!(hdf5_lite::File::from_bytes(bytes)?.root()?.links()?.is_empty());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn new() -> Self {
        let nodes = vec![Node::group(0, b"")];
        Self {
            nodes,
            heap: GlobalHeap::default(),
            patches: Patches::default(),
            filters: Registry::default(),
        }
    }

    /// A file with a copy of all that `file` has. See [`GroupMut::copy`].
    ///
    /// ```
    /// use hdf5_lite::{File, Writer};
    /// let old = File::open("../../fixtures/hdf5/groups_old.h5")?;
    /// let new = File::from_bytes(Writer::copy_of(&old)?.to_bytes()?)?;
    /// assert_eq!((old.superblock_version(), new.superblock_version()), (0, 2));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn copy_of(file: &File) -> Result<Self> {
        let mut writer = Self { nodes: Vec::new(), ..Self::new() };
        copy::object(&mut writer, file.root()?.object(), 0, b"")?;
        Ok(writer)
    }

    /// The root group, to be filled.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.root_mut().set_attr("version", 3)?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn root_mut(&mut self) -> GroupMut<'_, 'a> {
        GroupMut::new(self, 0)
    }

    /// The group at `path`, counted from the root. Groups that are missing on the way are made.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// let mut weights = file.group("model/weights")?;
    /// weights.set_attr("count", 2)?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn group(&mut self, path: &str) -> Result<GroupMut<'_, 'a>> {
        let at = self.group_at(0, path)?;
        Ok(GroupMut::new(self, at))
    }

    /// A new dataset at `path`, counted from the root. What comes behind says how it is stored.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("model/rates", &[0.1, 0.01])?.set_attr("unit", "1/s")?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn dataset(
        &mut self,
        path: &str,
        array: impl Into<Array<'a>>,
    ) -> Result<DatasetMut<'_, 'a>> {
        let at = self.dataset_at(0, path, array.into())?;
        Ok(DatasetMut::new(self, at))
    }

    /// Makes a filter of the caller's own known. Datasets go through it that
    /// [name it](DatasetMut::filter).
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use hdf5_lite::{File, Filter, FilterInfo, Writer};
    ///
    /// /// Every bit the other way round.
    /// #[derive(Debug)]
    /// struct Not;
    ///
    /// impl Filter for Not {
    ///     fn id(&self) -> u16 {
    ///         40_000
    ///     }
    ///
    ///     fn name(&self) -> &'static str {
    ///         "not"
    ///     }
    ///
    ///     fn decode<'c>(
    ///         &self,
    ///         _client_data: &[u32],
    ///         chunk: Cow<'c, [u8]>,
    ///         _expected: usize,
    ///     ) -> hdf5_lite::Result<Cow<'c, [u8]>> {
    ///         Ok(chunk.iter().map(|byte| !byte).collect())
    ///     }
    ///
    ///     fn encode(&self, _: &[u32], chunk: &[u8]) -> hdf5_lite::Result<Option<Vec<u8>>> {
    ///         Ok(Some(chunk.iter().map(|byte| !byte).collect()))
    ///     }
    /// }
    ///
    /// let mut file = Writer::new();
    /// file.register(Not);
    /// let info = FilterInfo { id: 40_000, name: "not".into(), optional: false, client_data: vec![] };
    /// file.dataset("data", &[1_u8, 2, 3])?.chunks([3]).filter(info);
    /// let file = File::options().filter(Not).from_bytes(file.to_bytes()?)?;
    /// assert_eq!(*file.dataset("data")?.read::<u8>()?, [1, 2, 3]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn register(&mut self, filter: impl Filter + 'static) {
        self.filters.add(filter);
    }

    /// Writes the file from front to back. Compressed chunks are made before the first byte is
    /// written, and wait in memory: [`write_to`](Self::write_to) needs memory for few of them.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[1.0, 2.0, 3.0])?;
    /// let mut stream = Vec::new(); // a member of a zip archive, a socket
    /// file.write(&mut stream)?;
    /// assert_eq!(stream, file.to_bytes()?);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn write(&self, out: &mut impl io::Write) -> Result<()> {
        layout::write(self, out)
    }

    /// Writes the file at the place where `out` stands, and leaves it at the end.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[1.0, 2.0, 3.0])?;
    /// let mut place = std::io::Cursor::new(Vec::new());
    /// file.write_seek(&mut place)?;
    /// assert_eq!(place.into_inner(), file.to_bytes()?);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn write_seek(&self, out: &mut (impl io::Write + io::Seek)) -> Result<()> {
        layout::write_seek(self, out)
    }

    /// Writes the file to `path`. A file that is there is replaced when the new one is complete: what
    /// this one borrows of it stays, and so does it if writing fails.
    ///
    /// ```no_run
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[1.0, 2.0, 3.0])?;
    /// file.write_to("data.h5")?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn write_to(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        replace::replace(path.as_ref(), |out| self.write_seek(out))
    }

    /// The bytes of the file.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[1.0, 2.0, 3.0])?;
    /// let file = hdf5_lite::File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(*file.dataset("data")?.read::<f64>()?, [1.0, 2.0, 3.0]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = io::Cursor::new(Vec::new());
        self.write_seek(&mut out)?;
        Ok(out.into_inner())
    }
}
