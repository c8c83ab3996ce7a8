//! The tree that the caller describes.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::array::{Array, Data};
use super::{Writer, copy, relocate, value};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::group::LinkTarget;
use crate::message::{Dataspace, Datatype, FilterInfo};
use crate::object::{Object, text};
use crate::out::{SIZES, Write};
use crate::reference::Reference;
use crate::storage::Block;

/// A name that leaves room for what stands beside it in a message.
const MAX_NAME: usize = 65_000;

/// An object of the tree; they refer to each other by number.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) path: String,
    pub(super) kind: Kind<'a>,
    pub(super) attributes: BTreeMap<Bytes, Attribute>,
    /// Hard links to it.
    pub(super) links: u32,
    pub(super) comment: Option<Bytes>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Group(BTreeMap<Bytes, Target>),
    Dataset(Box<Stored<'a>>),
    Datatype(Datatype),
}

/// What a link of a group leads to.
#[derive(Debug)]
pub(super) enum Target {
    Node(usize),
    Other(LinkTarget),
}

/// A dataset.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    pub(super) datatype: Datatype,
    /// The number of the committed datatype that this one is.
    pub(super) committed: Option<usize>,
    pub(super) space: Dataspace,
    pub(super) data: Data<'a>,
    pub(super) chunks: Option<Vec<u64>>,
    pub(super) filters: Vec<FilterInfo>,
    pub(super) fill: Bytes,
    pub(super) is_compact: bool,
}

impl Stored<'_> {
    /// Bytes of all elements; as many as 64 bits can count.
    pub(super) fn wanted_bytes(&self) -> u64 {
        let elements = self.space.elements().unwrap_or(u64::MAX);
        elements.saturating_mul(self.datatype.size() as u64)
    }
}

/// An attribute, its elements as bytes.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) datatype: Datatype,
    /// As of a dataset.
    pub(super) committed: Option<usize>,
    pub(super) space: Dataspace,
    pub(super) data: Vec<u8>,
}

impl<'a> Node<'a> {
    pub(super) fn new(path: String, kind: Kind<'a>) -> Self {
        Self { path, kind, attributes: BTreeMap::new(), links: 1, comment: None }
    }

    pub(super) fn group(path: String) -> Self {
        Self::new(path, Kind::Group(BTreeMap::new()))
    }

    fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Group(_) => "a group",
            Kind::Dataset(_) => "a dataset",
            Kind::Datatype(_) => "a committed datatype",
        }
    }
}

impl<'a> Writer<'a> {
    fn node(&mut self, at: usize) -> Option<&mut Node<'a>> {
        self.nodes.get_mut(at)
    }

    /// The links of the group numbered `at`.
    fn links(&mut self, at: usize) -> Result<&mut BTreeMap<Bytes, Target>> {
        match self.node(at) {
            Some(Node { kind: Kind::Group(links), .. }) => Ok(links),
            Some(node) => Err(Error::WrongType {
                place: node.path.clone(),
                wanted: "a group",
                found: node.kind().into(),
            }),
            None => Err(unwritable("/", "no such object")),
        }
    }

    pub(super) fn path(&self, at: usize) -> &str {
        self.nodes.get(at).map_or("", |node| &node.path)
    }

    /// One more hard link leads to the object `at`.
    pub(super) fn count_link(&mut self, at: usize) {
        if let Some(node) = self.node(at) {
            node.links = node.links.saturating_add(1);
        }
    }

    /// The object at `path` below the group `at`.
    fn find(&self, mut at: usize, path: &str) -> Result<usize> {
        if path.starts_with('/') {
            at = 0;
        }
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            let next = match self.nodes.get(at).map(|node| &node.kind) {
                Some(Kind::Group(links)) => links.get(name.as_bytes()),
                _ => None,
            };
            let Some(Target::Node(next)) = next else {
                let (name, place) = (name.into(), self.path(at).into());
                return Err(Error::NotFound { what: "hard link", name, place });
            };
            at = *next;
        }
        Ok(at)
    }

    /// The group at `path` below the group `at`, with what is missing on the way.
    pub(super) fn group_at(&mut self, mut at: usize, path: &str) -> Result<usize> {
        if path.starts_with('/') {
            at = 0;
        }
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            at = match self.links(at)?.get(name.as_bytes()) {
                Some(Target::Node(next)) => *next,
                Some(Target::Other(_)) => return Err(self.exists("link", at, name)),
                None => {
                    let node = Node::group(join(self.path(at), name));
                    self.add(at, name.as_bytes(), node)?
                }
            };
        }
        self.links(at)?;
        Ok(at)
    }

    /// A new dataset at `path` below the group `at`.
    pub(super) fn dataset_at(&mut self, at: usize, path: &str, array: Array<'a>) -> Result<usize> {
        let (parent, name) = self.parent_of(at, path)?;
        let place = join(self.path(parent), name);
        let Array { datatype, space, data } = self.take(&place, array)?;
        let stored = Stored {
            datatype,
            committed: None,
            space,
            data,
            chunks: None,
            filters: Vec::new(),
            fill: Bytes::new(),
            is_compact: false,
        };
        let node = Node::new(place, Kind::Dataset(Box::new(stored)));
        self.add(parent, name.as_bytes(), node)
    }

    /// The group that `path` lies in, and its name there.
    fn parent_of<'p>(&mut self, at: usize, path: &'p str) -> Result<(usize, &'p str)> {
        let (parent, name) = match path.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some(found) => found,
            None => ("", path),
        };
        if matches!(name, "" | ".") {
            return Err(unwritable(&join(self.path(at), path), "a link needs a name"));
        }
        Ok((self.group_at(at, parent)?, name))
    }

    /// Adds a link called `name` to the group `at`.
    fn link(&mut self, at: usize, name: &[u8], target: Target) -> Result<()> {
        let shown = text(name);
        if name.len() > MAX_NAME || name.contains(&0) {
            let reason = format!("a name of more than {MAX_NAME} bytes, or with a NUL");
            return Err(unwritable(&join(self.path(at), &shown), reason));
        }
        if self.links(at)?.contains_key(name) {
            return Err(self.exists("link", at, &shown));
        }
        self.links(at)?.insert(Bytes::copy_from_slice(name), target);
        Ok(())
    }

    /// Adds an object and the first link to it.
    pub(super) fn add(&mut self, at: usize, name: &[u8], node: Node<'a>) -> Result<usize> {
        let new = self.nodes.len();
        self.link(at, name, Target::Node(new))?;
        self.nodes.push(node);
        Ok(new)
    }

    fn exists(&self, what: &'static str, at: usize, name: &str) -> Error {
        Error::Exists { what, name: name.into(), place: self.path(at).into() }
    }

    fn set_attr(&mut self, at: usize, name: &[u8], array: Array<'_>) -> Result<()> {
        let shown = text(name);
        let place = format!("attribute {shown:?} of {}", self.path(at));
        if name.is_empty() || name.len() > MAX_NAME || name.contains(&0) {
            let reason = format!("a name of 1 to {MAX_NAME} bytes without a NUL is needed");
            return Err(unwritable(&place, reason));
        }
        let Array { datatype, space, data } = self.take(&place, array)?;
        let data = match data {
            Data::Memory(bytes) => bytes.into_owned(),
            Data::Shared(bytes) => bytes.into(),
            Data::Source(source) => {
                let len = usize::try_from(source.len());
                let len = len.map_err(|_| unwritable(&place, "more bytes than memory"))?;
                source.read_at(0, len)?.into()
            }
            // `take` made bytes of values.
            _ => return Err(unwritable(&place, "attributes have their elements with them")),
        };
        if self.nodes.get(at).is_some_and(|n| n.attributes.contains_key(name)) {
            return Err(self.exists("attribute", at, &shown));
        }
        let name = Bytes::copy_from_slice(name);
        if let Some(node) = self.node(at) {
            node.attributes.insert(name, Attribute { datatype, committed: None, space, data });
        }
        Ok(())
    }

    /// Checks `array`, and makes bytes of its values.
    fn take<'d>(&mut self, place: &str, array: Array<'d>) -> Result<Array<'d>> {
        let Array { datatype, space, data } = array;
        let wrong = |reason: String| unwritable(place, reason);
        // The reader knows best what a sound datatype and dataspace are.
        check(&datatype).map_err(|error| wrong(format!("its datatype: {error}")))?;
        check(&space).map_err(|error| wrong(format!("its dataspace: {error}")))?;
        let grows = !space.max_dims.is_empty();
        if grows && space.max_dims.len() != space.dims.len()
            || space
                .dims
                .iter()
                .zip(&space.max_dims)
                .any(|(dim, max)| max.is_some_and(|max| max < *dim))
        {
            return Err(wrong("its largest extent is smaller than its extent".into()));
        }
        let elements = space.elements();
        let wanted = elements.and_then(|n| n.checked_mul(datatype.size() as u64));
        let wanted = wanted.ok_or_else(|| wrong("more elements than 64 bits can count".into()))?;
        let data = match data {
            Data::Values(values) => {
                if elements != Some(values.len() as u64) {
                    let (shape, given) = (&space.dims, values.len());
                    return Err(wrong(format!("its shape {shape:?} is not of {given} values")));
                }
                let mut bytes = Vec::new();
                for one in &values {
                    value::encode(self, &datatype, one, &mut bytes)
                        .map_err(|reason| wrong(reason.to_string()))?;
                }
                Data::Memory(bytes.into())
            }
            Data::Absent => data,
            _ if relocate::has_addresses(&datatype) && wanted > 0 => {
                let reason = "elements of variable length and references are given as values";
                return Err(wrong(reason.into()));
            }
            data => {
                if data.len() != Some(wanted) {
                    let (shape, given) = (&space.dims, data.len().unwrap_or(0));
                    let reason = format!(
                        "its shape {shape:?} of elements of {} bytes takes {wanted} bytes, not {given}",
                        datatype.size()
                    );
                    return Err(wrong(reason));
                }
                data
            }
        };
        Ok(Array { datatype, space, data })
    }
}

/// Whether what is written of `structure` says the same when it is read.
fn check<S: Write + PartialEq>(structure: &S) -> Result<(), String> {
    let bytes = structure.to_bytes().map_err(|error| error.to_string())?;
    match S::read(&Block { at: 0, data: bytes.into() }, SIZES) {
        Ok(read) if read == *structure => Ok(()),
        Ok(_) => Err("its parts do not fit each other".into()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn unwritable(place: &str, reason: impl Into<String>) -> Error {
    Error::Unwritable { place: place.into(), reason: reason.into() }
}

/// A filter of the C library's own.
fn built_in(id: u16, optional: bool, client_data: Vec<u32>) -> FilterInfo {
    FilterInfo { id, name: String::new(), optional, client_data }
}

/// `name` below `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    format!("{}/{}", path.strip_suffix('/').unwrap_or(path), name.trim_start_matches('/'))
}

/// A group of a file that is written.
///
/// ```
/// let mut file = hdf5_lite::Writer::new();
/// let mut weights = file.group("model/weights")?;
/// weights.set_attr("count", 2)?;
/// weights.dataset("kernel", &[1.0_f32, 2.0])?;
/// weights.group("more")?.dataset("bias", &[0.5_f32])?;
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Debug)]
pub struct GroupMut<'w, 'a> {
    writer: &'w mut Writer<'a>,
    at: usize,
}

impl<'w, 'a> GroupMut<'w, 'a> {
    pub(super) fn new(writer: &'w mut Writer<'a>, at: usize) -> Self {
        Self { writer, at }
    }

    /// The group at `path`, counted from here, or from the root if it starts with a slash. Groups
    /// that are missing on the way are made.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.root_mut().group("a/b")?;
    /// file.root_mut().group("a")?.set_attr("is the same", true)?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn group(&mut self, path: &str) -> Result<GroupMut<'_, 'a>> {
        let at = self.writer.group_at(self.at, path)?;
        Ok(GroupMut::new(self.writer, at))
    }

    /// A new dataset at `path`. What comes behind says how it is stored.
    ///
    /// ```
    /// use hdf5_lite::{Array, Writer};
    /// let mut file = Writer::new();
    /// file.dataset("plain", &[1, 2, 3])?;
    /// file.dataset("packed", Array::new([2, 2], &[1, 2, 3, 4]))?.chunks([1, 2]).deflate(4);
    /// assert!(file.dataset("plain", 0.0).is_err()); // the name is taken
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn dataset(
        &mut self,
        path: &str,
        array: impl Into<Array<'a>>,
    ) -> Result<DatasetMut<'_, 'a>> {
        let at = self.writer.dataset_at(self.at, path, array.into())?;
        Ok(DatasetMut::new(self.writer, at))
    }

    /// A datatype with a name of its own.
    ///
    /// ```
    /// use hdf5_lite::{Datatype, Writer};
    /// let mut file = Writer::new();
    /// file.root_mut().datatype("number", Datatype::of::<f64>())?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn datatype(&mut self, path: &str, datatype: Datatype) -> Result<()> {
        let (parent, name) = self.writer.parent_of(self.at, path)?;
        let place = join(self.writer.path(parent), name);
        check(&datatype).map_err(|error| unwritable(&place, format!("its datatype: {error}")))?;
        let node = Node::new(place, Kind::Datatype(datatype));
        self.writer.add(parent, name.as_bytes(), node)?;
        Ok(())
    }

    /// A second link, at `path`, to the object that is at `target`.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[1, 2])?;
    /// file.root_mut().hard_link("same", "/data")?;
    /// let file = hdf5_lite::File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("same")?.object().reference_count()?, 2);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn hard_link(&mut self, path: &str, target: &str) -> Result<()> {
        let target = self.writer.find(self.at, target)?;
        let (parent, name) = self.writer.parent_of(self.at, path)?;
        self.writer.link(parent, name.as_bytes(), Target::Node(target))?;
        self.writer.count_link(target);
        Ok(())
    }

    /// A reference to the object that is at `path`, for a value of this file.
    ///
    /// ```
    /// use hdf5_lite::{Array, Datatype, File, Value, Writer};
    /// let mut file = Writer::new();
    /// file.dataset("data", &[1, 2])?;
    /// let to_data = Value::Reference(file.root_mut().reference("data")?);
    /// let array = Array::values([1], Datatype::object_reference(), vec![to_data]);
    /// file.dataset("references", array)?;
    ///
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// let values = file.dataset("references")?.values()?;
    /// let Value::Reference(reference) = &values[0] else { panic!() };
    /// assert_eq!(file.dereference(reference)?.address(), file.dataset("data")?.object().address());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn reference(&self, path: &str) -> Result<Reference> {
        Ok(value::reference(self.writer.find(self.at, path)?))
    }

    /// A link at `path` that leads to another path, whether or not something is there.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("v2", &[1, 2])?;
    /// file.root_mut().soft_link("latest", "/v2")?;
    /// let file = hdf5_lite::File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("latest")?.shape(), [2]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn soft_link(&mut self, path: &str, target: &str) -> Result<()> {
        self.other_link(path, LinkTarget::Soft(Bytes::copy_from_slice(target.as_bytes())))
    }

    /// A link at `path` that leads to a path in another file.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.root_mut().external_link("weights", "weights.h5", "/dense")?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn external_link(&mut self, path: &str, file: &str, target: &str) -> Result<()> {
        let file = Bytes::copy_from_slice(file.as_bytes());
        let target = Bytes::copy_from_slice(target.as_bytes());
        self.other_link(path, LinkTarget::External { file, path: target })
    }

    fn other_link(&mut self, path: &str, target: LinkTarget) -> Result<()> {
        let (parent, name) = self.writer.parent_of(self.at, path)?;
        self.writer.link(parent, name.as_bytes(), Target::Other(target))
    }

    /// A copy of `object`, of whatever kind, at `path`, with all that hard links lead to from it.
    ///
    /// Elements are stored as they are in the other file: in the same chunks, through the same filters,
    /// which are not undone, and not read before this file is written. A reference to
    /// an object that is not copied with it becomes null.
    ///
    /// ```
    /// use hdf5_lite::{File, Writer};
    /// let other = File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let mut file = Writer::new();
    /// file.root_mut().copy("from/the/tour", other.dataset("grid")?.object())?;
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("from/the/tour")?.filters()?, other.dataset("grid")?.filters()?);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn copy(&mut self, path: &str, object: &Object) -> Result<()> {
        let (parent, name) = self.writer.parent_of(self.at, path)?;
        let place = join(self.writer.path(parent), name);
        let new = self.writer.nodes.len();
        self.writer.link(parent, name.as_bytes(), Target::Node(new))?;
        copy::object(self.writer, object, place)
    }

    /// Gives the group an attribute.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.root_mut().set_attr("title", "A tour")?.set_attr("scale", 2.5_f32)?;
    /// assert!(file.root_mut().set_attr("title", "Another").is_err()); // the name is taken
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn set_attr<'v>(&mut self, name: &str, value: impl Into<Array<'v>>) -> Result<&mut Self> {
        self.writer.set_attr(self.at, name.as_bytes(), value.into())?;
        Ok(self)
    }
}

/// A dataset of a file that is written: how it is stored, and its attributes.
///
/// Whether the choices fit each other and the dataset, writing says.
///
/// ```
/// use hdf5_lite::{Array, Writer};
/// let values = vec![1.5_f32; 600];
/// let mut file = Writer::new();
/// file
///     .dataset("values", Array::new([20, 30], &values))?
///     .chunks([10, 30])
///     .shuffle()
///     .deflate(4)
///     .fletcher32()
///     .set_attr("unit", "m")?;
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Debug)]
pub struct DatasetMut<'w, 'a> {
    writer: &'w mut Writer<'a>,
    at: usize,
}

impl<'w, 'a> DatasetMut<'w, 'a> {
    pub(super) fn new(writer: &'w mut Writer<'a>, at: usize) -> Self {
        Self { writer, at }
    }

    fn stored(&mut self, change: impl FnOnce(&mut Stored<'_>)) -> &mut Self {
        if let Some(Node { kind: Kind::Dataset(stored), .. }) = self.writer.node(self.at) {
            change(stored);
        }
        self
    }

    /// Stores it in chunks of so many elements along each axis.
    ///
    /// ```
    /// use hdf5_lite::{Array, File, Writer};
    /// let mut file = Writer::new();
    /// file.dataset("grid", Array::new([4, 6], vec![0_u8; 24]))?.chunks([2, 3]);
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("grid")?.chunks(), Some(&[2, 3][..]));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn chunks(&mut self, dims: impl Into<Vec<u64>>) -> &mut Self {
        self.stored(|stored| stored.chunks = Some(dims.into()))
    }

    /// Sends its chunks through a filter, behind those that were asked for before.
    ///
    /// ```
    /// use hdf5_lite::{File, FilterInfo, Writer};
    /// let mut file = Writer::new();
    /// let deflate = FilterInfo { id: 1, name: String::new(), optional: true, client_data: vec![9] };
    /// file.dataset("data", &[7; 1000])?.chunks([500]).filter(deflate);
    /// assert!(file.to_bytes()?.len() < 4000);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn filter(&mut self, filter: FilterInfo) -> &mut Self {
        self.stored(|stored| stored.filters.push(filter))
    }

    /// Puts the first bytes of all elements of a chunk together, then the second ones, and so
    /// on: what comes behind compresses better.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[7; 1000])?.chunks([500]).shuffle().deflate(4);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn shuffle(&mut self) -> &mut Self {
        self.stored(|stored| {
            let size = u32::try_from(stored.datatype.size()).unwrap_or(1);
            stored.filters.push(built_in(2, true, vec![size]));
        })
    }

    /// Compresses its chunks, with more care from level 0 to 9.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[7; 1000])?.chunks([500]).deflate(4);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn deflate(&mut self, level: u32) -> &mut Self {
        self.filter(built_in(1, true, vec![level.min(9)]))
    }

    /// Adds a checksum to each chunk.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[7; 1000])?.chunks([500]).fletcher32();
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn fletcher32(&mut self) -> &mut Self {
        self.filter(built_in(3, false, Vec::new()))
    }

    /// Stores it in the object's header: for some kilobytes at most.
    ///
    /// ```
    /// use hdf5_lite::{File, Layout, Writer};
    /// let mut file = Writer::new();
    /// file.dataset("few", &[1, 2, 3])?.compact();
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("few")?.layout(), Layout::Compact);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn compact(&mut self) -> &mut Self {
        self.stored(|stored| stored.is_compact = true)
    }

    /// The value of elements that come when the dataset grows.
    ///
    /// ```
    /// use hdf5_lite::{File, Writer};
    /// let mut file = Writer::new();
    /// file.dataset("data", &[1.0_f32])?.fill_value(-1.0_f32);
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// let fill = file.dataset("data")?.fill_value()?;
    /// assert_eq!(fill.as_deref(), Some(&(-1.0_f32).to_ne_bytes()[..]));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn fill_value<T: Element>(&mut self, value: T) -> &mut Self {
        let value = Bytes::copy_from_slice(bytemuck::bytes_of(&value));
        self.stored(|stored| stored.fill = value)
    }

    /// Sets an attribute of the dataset.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", 1.0)?.set_attr("unit", "m")?.set_attr("factor", 1000)?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn set_attr<'v>(&mut self, name: &str, value: impl Into<Array<'v>>) -> Result<&mut Self> {
        self.writer.set_attr(self.at, name.as_bytes(), value.into())?;
        Ok(self)
    }
}
