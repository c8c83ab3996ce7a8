//! The tree that the caller describes.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::array::{Array, Data};
use super::{Writer, relocate, value};
use crate::error::{Error, Result};
use crate::filter::Registry;
use crate::group::LinkTarget;
use crate::message::{Dataspace, Datatype, FilterInfo};
use crate::object::text;
use crate::out::{SIZES, Write};
use crate::storage::Block;

/// A name that leaves room for what stands beside it in a message.
const MAX_NAME: usize = 65_000;

/// An object of the tree; they refer to each other by number.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// The group of the first link to it, and the name there: a path for each would take room
    /// that grows with the square of the depth.
    pub(super) parent: usize,
    pub(super) name: Bytes,
    pub(super) kind: Kind<'a>,
    pub(super) attributes: BTreeMap<Bytes, Attribute>,
    /// Hard links to it.
    pub(super) links: u32,
    pub(super) comment: Option<Bytes>,
    /// Whether the order in which its links and attributes were made is kept.
    pub(super) link_order: bool,
    pub(super) attribute_order: bool,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Group(BTreeMap<Bytes, Link>),
    Dataset(Box<Stored<'a>>),
    Datatype(Datatype),
}

/// A link of a group.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) target: Target,
    /// Its number in the order in which the links were made.
    pub(super) order: u64,
}

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
    /// The filters with all that they need to know of the dataset.
    pub(super) fn pipeline(&self, filters: &Registry) -> Result<Vec<FilterInfo>> {
        if let Data::Chunks(_) = self.data {
            return Ok(self.filters.clone());
        }
        let dims = self.chunks.as_deref().unwrap_or_default();
        filters.complete(&self.filters, &self.datatype, dims)
    }

    /// Bytes of all elements; as many as 64 bits can count.
    pub(super) fn wanted_bytes(&self) -> u64 {
        let elements = self.space.elements().unwrap_or(u64::MAX);
        elements.saturating_mul(self.datatype.size() as u64)
    }
}

/// An attribute; the messages within its own are written once, since its header is written twice.
#[derive(Debug)]
pub(super) struct Attribute {
    /// Its number in the order in which the attributes were made.
    pub(super) order: u32,
    pub(super) datatype: Datatype,
    /// As of a dataset.
    pub(super) committed: Option<usize>,
    pub(super) datatype_message: Bytes,
    pub(super) dataspace_message: Bytes,
    pub(super) data: Bytes,
}

impl Attribute {
    pub(super) fn new(
        order: usize,
        datatype: Datatype,
        committed: Option<usize>,
        space: &Dataspace,
        data: impl Into<Bytes>,
    ) -> Result<Self> {
        let (datatype_message, dataspace_message) =
            (datatype.to_bytes()?.into(), space.to_bytes()?.into());
        let data = data.into();
        // No object has so many that their number wraps around.
        let order = u32::try_from(order).unwrap_or(u32::MAX);
        Ok(Self { order, datatype, committed, datatype_message, dataspace_message, data })
    }
}

impl<'a> Node<'a> {
    pub(super) fn new(parent: usize, name: &[u8], kind: Kind<'a>) -> Self {
        let name = Bytes::copy_from_slice(name);
        Self {
            parent,
            name,
            kind,
            attributes: BTreeMap::new(),
            links: 1,
            comment: None,
            link_order: false,
            attribute_order: false,
        }
    }

    pub(super) fn group(parent: usize, name: &[u8]) -> Self {
        Self::new(parent, name, Kind::Group(BTreeMap::new()))
    }

    fn has_links(&self) -> bool {
        matches!(&self.kind, Kind::Group(links) if !links.is_empty())
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
    pub(super) fn node(&mut self, at: usize) -> Option<&mut Node<'a>> {
        self.nodes.get_mut(at)
    }

    /// The links of the group numbered `at`.
    fn links(&mut self, at: usize) -> Result<&mut BTreeMap<Bytes, Link>> {
        let Some(Node { kind: Kind::Group(_), .. }) = self.nodes.get(at) else {
            let found = self.nodes.get(at).map_or("nothing", Node::kind).into();
            return Err(Error::WrongType { place: self.path(at), wanted: "a group", found });
        };
        match self.node(at) {
            Some(Node { kind: Kind::Group(links), .. }) => Ok(links),
            _ => Err(unwritable("/", "no such group")),
        }
    }

    /// The path that the object `at` was made under.
    pub(super) fn path(&self, mut at: usize) -> String {
        let mut names = Vec::new();
        // The root is its own parent; all others come after theirs.
        while let Some(node) = self.nodes.get(at).filter(|node| node.parent < at) {
            names.push(text(&node.name));
            at = node.parent;
        }
        names.iter().rev().fold("/".into(), |path, name| join(&path, name))
    }

    /// One more hard link leads to the object `at`.
    pub(super) fn count_link(&mut self, at: usize) {
        if let Some(node) = self.node(at) {
            node.links = node.links.saturating_add(1);
        }
    }

    /// The object at `path` below the group `at`.
    pub(super) fn find(&self, mut at: usize, path: &str) -> Result<usize> {
        if path.starts_with('/') {
            at = 0;
        }
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            let next = match self.nodes.get(at).map(|node| &node.kind) {
                Some(Kind::Group(links)) => links.get(name.as_bytes()),
                _ => None,
            };
            let Some(Link { target: Target::Node(next), .. }) = next else {
                let (name, place) = (name.into(), self.path(at));
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
                Some(Link { target: Target::Node(next), .. }) => *next,
                Some(Link { target: Target::Other(_), .. }) => {
                    return Err(self.exists("link", at, name));
                }
                None => {
                    let node = Node::group(at, name.as_bytes());
                    self.add(node)?
                }
            };
        }
        self.links(at)?;
        Ok(at)
    }

    /// A new dataset at `path` below the group `at`.
    pub(super) fn dataset_at(&mut self, at: usize, path: &str, array: Array<'a>) -> Result<usize> {
        let (parent, name) = self.parent_of(at, path)?;
        let place = join(&self.path(parent), name);
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
        self.add(Node::new(parent, name.as_bytes(), Kind::Dataset(Box::new(stored))))
    }

    /// The group that `path` lies in, and its name there.
    pub(super) fn parent_of<'p>(&mut self, at: usize, path: &'p str) -> Result<(usize, &'p str)> {
        let (parent, name) = match path.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some(found) => found,
            None => ("", path),
        };
        if matches!(name, "" | ".") {
            return Err(unwritable(&join(&self.path(at), path), "a link needs a name"));
        }
        Ok((self.group_at(at, parent)?, name))
    }

    /// Adds a link called `name` to the group `at`.
    pub(super) fn link(&mut self, at: usize, name: &[u8], target: Target) -> Result<()> {
        let shown = text(name);
        if name.len() > MAX_NAME || name.contains(&0) {
            let reason = format!("a name of more than {MAX_NAME} bytes, or with a NUL");
            return Err(unwritable(&join(&self.path(at), &shown), reason));
        }
        if self.links(at)?.contains_key(name) {
            return Err(self.exists("link", at, &shown));
        }
        let links = self.links(at)?;
        let order = links.len() as u64;
        links.insert(Bytes::copy_from_slice(name), Link { target, order });
        Ok(())
    }

    /// Keeps the order of links and attributes of an object that has none yet.
    pub(super) fn track_order(&mut self, at: usize) -> Result<()> {
        match self.node(at) {
            Some(node) if node.attributes.is_empty() && !node.has_links() => {
                (node.link_order, node.attribute_order) = (true, true);
                Ok(())
            }
            _ => {
                let reason = "the order of what it has already was not kept";
                Err(unwritable(&self.path(at), reason))
            }
        }
    }

    /// Adds an object and the first link to it.
    pub(super) fn add(&mut self, node: Node<'a>) -> Result<usize> {
        let new = self.nodes.len();
        self.link(node.parent, &node.name.clone(), Target::Node(new))?;
        self.nodes.push(node);
        Ok(new)
    }

    pub(super) fn exists(&self, what: &'static str, at: usize, name: &str) -> Error {
        Error::Exists { what, name: name.into(), place: self.path(at) }
    }

    pub(super) fn set_attr(&mut self, at: usize, name: &[u8], array: Array<'_>) -> Result<()> {
        let shown = text(name);
        let place = format!("attribute {shown:?} of {}", self.path(at));
        if name.is_empty() || name.len() > MAX_NAME || name.contains(&0) {
            let reason = format!("a name of 1 to {MAX_NAME} bytes without a NUL is needed");
            return Err(unwritable(&place, reason));
        }
        let Array { datatype, space, data } = self.take(&place, array)?;
        if let Data::Absent = data {
            return Err(unwritable(&place, "attributes have their elements with them"));
        }
        let data = data.read(u64::from(u32::MAX))?;
        if self.nodes.get(at).is_some_and(|n| n.attributes.contains_key(name)) {
            return Err(self.exists("attribute", at, &shown));
        }
        let name = Bytes::copy_from_slice(name);
        if let Some(node) = self.node(at) {
            let order = node.attributes.len();
            node.attributes.insert(name, Attribute::new(order, datatype, None, &space, data)?);
        }
        Ok(())
    }

    /// Has `change` change the tree; all that it added is taken back if it fails.
    pub(super) fn attempt<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (nodes, heap) = (self.nodes.len(), self.heap.mark());
        let changed = change(self);
        if changed.is_err() {
            self.nodes.truncate(nodes);
            self.patches.retain(|id, _| heap.has(*id));
            self.heap.back_to(heap);
        }
        changed
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
pub(super) fn check<S: Write + PartialEq>(structure: &S) -> Result<(), String> {
    let bytes = structure.to_bytes().map_err(|error| error.to_string())?;
    match S::read(&Block { at: 0, data: bytes.into() }, SIZES) {
        Ok(read) if read == *structure => Ok(()),
        Ok(_) => Err("its parts do not fit each other".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// An object in errors about it.
pub(super) struct Place<'w> {
    pub(super) writer: &'w Writer<'w>,
    pub(super) at: usize,
}

impl Place<'_> {
    pub(super) fn unwritable(&self, reason: impl Into<String>) -> Error {
        unwritable(&self.writer.path(self.at), reason)
    }
}

pub(super) fn unwritable(place: &str, reason: impl Into<String>) -> Error {
    Error::Unwritable { place: place.into(), reason: reason.into() }
}

/// `name` below `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    format!("{}/{}", path.strip_suffix('/').unwrap_or(path), name.trim_start_matches('/'))
}
