//! An open file.

mod cache;
mod options;

pub use options::Options;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use cache::Cache;

use crate::error::{Error, Result};
use crate::filter::Registry;
use crate::group::Group;
use crate::header::ObjectHeader;
use crate::heap::{Collection, GlobalHeapId};
use crate::limits::Limits;
use crate::message::{Datatype, Message, Shared, SharedMessageTable, VariableKind};
use crate::object::{Node, Object, ObjectAddress};
use crate::parse::{Address, Sizes, Structure};
use crate::resolve::Resolver;
use crate::shared_messages::SharedMessages;
use crate::storage::{Block, Storage};
use crate::superblock::Superblock;
use crate::{Dataset, element};

/// An open HDF5 file; a clone is another handle to the same one.
///
/// ```no_run
/// use hdf5_lite::File;
/// let file = File::open("model.h5")?;
/// let same = File::from_bytes(std::fs::read("model.h5")?)?;
/// assert_eq!(file.root()?.links()?.len(), same.root()?.links()?.len());
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone)]
pub struct File {
    inner: Arc<Inner>,
    /// Files and virtual datasets between this handle and the one the caller opened.
    nesting: u32,
    /// Bytes read by virtual datasets since that one.
    spent: Option<Arc<AtomicU64>>,
}

struct Inner {
    storage: Storage,
    /// Offset of the superblock: all addresses count from it.
    base: u64,
    superblock: Superblock,
    limits: Limits,
    resolver: Option<Arc<dyn Resolver>>,
    filters: Registry,
    headers: Cache<ObjectHeader>,
    collections: Cache<Collection>,
    shared: OnceLock<SharedMessages>,
}

impl File {
    /// Opens the file at `path`, mapped with the feature `mmap`, and reads its superblock.
    ///
    /// ```no_run
    /// let file = hdf5_lite::File::open("model.h5")?;
    /// let kernel = file.dataset("dense/kernel")?;
    /// let values = kernel.read::<f32>()?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Opens a file that is in memory. Datasets borrow from `bytes` where they can.
    ///
    /// ```
    /// let bytes = std::fs::read("../../fixtures/hdf5/tour_new.h5")?;
    /// let file = hdf5_lite::File::from_bytes(bytes)?;
    /// assert_eq!(file.dataset("grid")?.shape(), [4, 6]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        Self::options().from_bytes(bytes)
    }

    /// Limits, filters and a resolver for the file to be opened.
    ///
    /// ```
    /// let mut limits = hdf5_lite::Limits::default();
    /// limits.read_bytes = 1 << 20;
    /// let file = hdf5_lite::File::options().limits(limits).open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.limits().read_bytes, 1 << 20);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn options() -> Options {
        Options::default()
    }

    /// The root group.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.path(), "/");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn root(&self) -> Result<Group> {
        Group::new(self.root_object()?)
    }

    /// The group at `path`, counted from the root.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.group("inner/deep")?.links()?.len(), 1);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn group(&self, path: &str) -> Result<Group> {
        self.root()?.group(path)
    }

    /// The dataset at `path`, counted from the root.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(*file.dataset("inner/deep/pi")?.read::<f64>()?, [3.14159]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn dataset(&self, path: &str) -> Result<Dataset> {
        self.root()?.dataset(path)
    }

    /// The object at `path`, counted from the root.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(matches!(file.node("committed")?, hdf5_lite::Node::Datatype(_)));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn node(&self, path: &str) -> Result<Node> {
        self.root()?.node(path)
    }

    /// The object whose header lies at `address`; its path is not known.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let address = file.group("inner")?.object().address();
    /// assert_eq!(file.object_at(address)?.kind()?, hdf5_lite::ObjectKind::Group);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn object_at(&self, address: ObjectAddress) -> Result<Object> {
        Object::open(self, address.0, format!("object at {:#x}", address.get()).into())
    }

    /// Version of the superblock, 0 to 3.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.superblock_version(), 3);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn superblock_version(&self) -> u8 {
        self.inner.superblock.version
    }

    /// Bytes before the superblock, which are the caller's.
    ///
    /// ```
    /// let file = hdf5_lite::File::open("../../fixtures/hdf5/user_block_new.h5")?;
    /// assert_eq!(file.user_block(), 512);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn user_block(&self) -> u64 {
        self.inner.base
    }

    /// Bytes of an address and of a length in this file.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.address_and_length_sizes(), (8, 8));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn address_and_length_sizes(&self) -> (u8, u8) {
        (self.inner.superblock.sizes.offsets, self.inner.superblock.sizes.lengths)
    }

    /// The limits that the file was opened with.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(*file.limits(), hdf5_lite::Limits::default());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// The values of an element of variable length; none for one that was never written.
    ///
    /// `element` are the bytes of one element of type `datatype`, of this file.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let lists = file.dataset("lists")?;
    /// let elements = lists.bytes()?;
    /// let first = file.variable(lists.datatype(), &elements[..lists.datatype().size()])?;
    /// assert_eq!(first.len(), 3 * size_of::<i32>());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn variable(&self, datatype: &Datatype, element: &[u8]) -> Result<Bytes> {
        let Datatype::Variable(t) = datatype else {
            return Err(Error::WrongType {
                place: "the datatype".into(),
                wanted: "of variable length",
                found: datatype.class().into(),
            });
        };
        let size = if t.kind == VariableKind::String { 1 } else { t.base.size() };
        Ok(element::variable(self, element, size)?.unwrap_or_default())
    }

    pub(crate) fn root_object(&self) -> Result<Object> {
        Object::open(self, self.inner.superblock.root, Arc::from("/"))
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.inner.superblock.sizes
    }

    pub(crate) fn filters(&self) -> &Registry {
        &self.inner.filters
    }

    pub(crate) fn has_resolver(&self) -> bool {
        self.inner.resolver.is_some()
    }

    /// Bytes of the whole file, user block included.
    pub(crate) fn len(&self) -> u64 {
        self.inner.storage.len()
    }

    /// The bytes of the file, if they are in memory.
    pub(crate) fn memory(&self) -> Option<&Bytes> {
        match &self.inner.storage {
            Storage::Memory { bytes, .. } => Some(bytes),
            Storage::Source(_) => None,
        }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    pub(crate) fn extension(&self) -> Option<Address> {
        self.inner.superblock.extension
    }

    /// Offset of `address` in the file.
    pub(crate) fn offset(&self, address: Address) -> u64 {
        self.inner.base.saturating_add(address.0)
    }

    pub(crate) fn read(&self, address: Address, len: u64) -> Result<Block> {
        self.inner.storage.read(self.offset(address), len)
    }

    pub(crate) fn read_up_to(&self, address: Address, len: u64) -> Result<Block> {
        self.inner.storage.read_up_to(self.offset(address), len)
    }

    /// The object header at `address`.
    pub(crate) fn header(&self, address: Address) -> Result<Arc<ObjectHeader>> {
        self.inner.headers.get(address, || ObjectHeader::read_at(self, address))
    }

    /// An object of the global heap.
    pub(crate) fn global_heap(&self, id: GlobalHeapId) -> Result<Block> {
        let read = || Collection::read_at(self, id.collection);
        self.inner.collections.get(id.collection, read)?.object(id.index)
    }

    /// The message that the shared message in `body` stands for.
    pub(crate) fn shared<M: Message>(&self, body: &Block) -> Result<M> {
        match Shared::read(body, self.sizes())? {
            Shared::Committed(address) => {
                let header = self.header(address)?;
                // A committed message that is itself shared would lead on and on.
                let message = header.all::<M>().find(|message| !message.is_shared());
                let message = message.ok_or_else(|| M::malformed(body.at, "shared message"))?;
                M::read(&header.body(message), self.sizes())
            }
            Shared::Heap(id) => {
                let body = self.shared_messages()?.object(self, M::ID, &id)?;
                M::read(&body, self.sizes())
            }
        }
    }

    fn shared_messages(&self) -> Result<&SharedMessages> {
        if let Some(shared) = self.inner.shared.get() {
            return Ok(shared);
        }
        let table = match self.inner.superblock.extension {
            Some(address) => self.header(address)?.find::<SharedMessageTable>(self)?,
            None => None,
        };
        let shared = match table {
            Some(table) => SharedMessages::read_at(self, table)?,
            None => SharedMessages::default(),
        };
        Ok(self.inner.shared.get_or_init(|| shared))
    }

    /// This file, one step further from what the caller opened.
    pub(crate) fn nested(&self) -> Result<Self> {
        let nesting = self.nesting + 1;
        self.limits().ask_depth("files and virtual datasets within each other", nesting)?;
        let spent = Some(self.spent.clone().unwrap_or_default());
        Ok(Self { inner: Arc::clone(&self.inner), nesting, spent })
    }

    /// Another file, named by this one; with this one's limits, filters and resolver.
    pub(crate) fn other(&self, name: &str, what: &'static str) -> Result<Self> {
        self.spend(0)?;
        let bytes = self.other_bytes(name, what)?;
        let options = Options {
            limits: self.inner.limits.clone(),
            resolver: self.inner.resolver.clone(),
            filters: self.inner.filters.clone(),
        };
        let mut file = options.from_bytes(bytes)?;
        Self { nesting: file.nesting, spent: file.spent, .. } = self.nested()?;
        Ok(file)
    }

    /// Counts `bytes` of a source, so that sources within sources come to an end.
    pub(crate) fn spend(&self, bytes: u64) -> Result<()> {
        // That a source is opened counts too.
        let cost = bytes.saturating_add(1 << 16);
        let spent = self.spent.as_ref().map_or(0, |spent| spent.fetch_add(cost, Ordering::Relaxed));
        Limits::ask("bytes of a virtual dataset's sources", spent, self.limits().source_bytes)
    }

    /// The bytes of another file, named by this one.
    pub(crate) fn other_bytes(&self, name: &str, what: &'static str) -> Result<Bytes> {
        let bytes = match &self.inner.resolver {
            Some(resolver) => resolver.resolve(name)?,
            None => None,
        };
        bytes.ok_or_else(|| Error::Unresolved { what, name: name.into() })
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("len", &self.len())
            .field("superblock", &self.inner.superblock)
            .finish_non_exhaustive()
    }
}
