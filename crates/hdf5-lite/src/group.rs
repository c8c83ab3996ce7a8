//! Groups and their links.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::btree::records::Dense;
use crate::btree::symbols::Symbols;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::file::File;
use crate::header::ObjectHeader;
use crate::message::{LinkInfo, LinkMessage, SymbolTable};
use crate::object::{Node, Object, ObjectAddress, ObjectKind, latin_1, text};
use crate::parse::Structure;

/// A group: names for other objects.
///
/// ```no_run
/// # let file = hdf5_lite::File::open("model.h5")?;
/// use hdf5_lite::Node;
/// let weights = file.group("model_weights")?;
/// for link in weights.links()? {
///     match weights.follow(&link)?.into_node()? {
///         Node::Group(group) => println!("{}/", group.path()),
///         Node::Dataset(dataset) => println!("{} {:?}", dataset.path(), dataset.shape()),
///         _ => {}
///     }
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) object: Object,
    links: Links,
}

/// Where the links are stored.
#[derive(Clone, Debug)]
pub(crate) enum Links {
    /// "Old style": symbol table.
    Symbols(Symbols),
    /// "New style", in the header.
    Compact,
    /// "New style", in a fractal heap.
    Dense(Arc<Dense>),
}

impl Links {
    fn open(file: &File, header: &ObjectHeader) -> Result<Self> {
        if let Some(table) = header.find::<SymbolTable>(file)? {
            return Ok(Self::Symbols(Symbols::open(file, table)?));
        }
        Ok(match header.find::<LinkInfo>(file)? {
            Some(LinkInfo { heap: Some(heap), name_index: Some(index), .. }) => {
                Self::Dense(Arc::new(Dense::open(file, heap, index)?))
            }
            _ => Self::Compact,
        })
    }
}

/// A link of a group.
///
/// ```no_run
/// # let file = hdf5_lite::File::open("model.h5")?;
/// use hdf5_lite::LinkTarget;
/// for link in file.root()?.links()? {
///     if let LinkTarget::External { file, .. } = link.target() {
///         println!("{} is in {}", link.name(), String::from_utf8_lossy(file));
///     }
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Link {
    pub(crate) name: Name,
    pub(crate) target: LinkTarget,
    pub(crate) creation_order: Option<u64>,
}

impl Link {
    /// Its name.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.links()?[0].name(), "blob");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn name(&self) -> Cow<'_, str> {
        text(&self.name.0)
    }

    /// Its name as stored.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.links()?[0].name_bytes(), b"blob");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn name_bytes(&self) -> &[u8] {
        &self.name.0
    }

    /// What it leads to.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::LinkTarget;
    /// let soft = file.root()?.find_link("soft")?.unwrap();
    /// assert_eq!(*soft.target(), LinkTarget::Soft("/inner/deep/pi".into()));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn target(&self) -> &LinkTarget {
        &self.target
    }

    /// Its number in the order of creation, if the group keeps it.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.links()?[0].creation_order(), None); // h5py keeps it on request
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn creation_order(&self) -> Option<u64> {
        self.creation_order
    }
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let LinkMessage { name, target, creation_order } = message;
        Self { name: Name(name), target, creation_order }
    }
}

/// Bytes of a name.
#[derive(Clone)]
pub(crate) struct Name(pub(crate) Bytes);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text(&self.0).fmt(f)
    }
}

/// What a link leads to. Names and paths are as stored, mostly UTF-8.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::LinkTarget;
/// for link in file.root()?.links()? {
///     match link.target() {
///         LinkTarget::Hard(address) => println!("{} at {:#x}", link.name(), address.get()),
///         other => println!("{} -> {other:?}", link.name()),
///     }
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkTarget {
    /// An object of this file.
    Hard(ObjectAddress),
    /// A path.
    Soft(Bytes),
    /// A path in another file.
    External {
        /// The name of the file.
        file: Bytes,
        /// The path in it.
        path: Bytes,
    },
    /// Something that only the writer knows to follow.
    UserDefined {
        /// "Link type", 65 and up.
        kind: u8,
        /// The writer's data.
        data: Bytes,
    },
}

impl Group {
    pub(crate) fn new(object: Object) -> Result<Self> {
        let (file, header) = (object.file(), object.header());
        if object.kind()? != ObjectKind::Group {
            return Err(object.wrong_type("a group"));
        }
        let links = if let Some(links) = header.links.get() {
            links.clone()
        } else {
            let links = Links::open(file, header)?;
            header.links.get_or_init(|| links).clone()
        };
        Ok(Self { object, links })
    }

    fn file(&self) -> &File {
        self.object.file()
    }

    /// The group at `path`, counted from here, or from the root if it starts with a slash.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.group("inner")?.group("deep")?.path(), "/inner/deep");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn group(&self, path: &str) -> Result<Self> {
        Self::new(self.lookup(path)?)
    }

    /// The dataset at `path`.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.group("inner")?.dataset("deep/pi")?.shape(), []);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn dataset(&self, path: &str) -> Result<Dataset> {
        Dataset::new(self.lookup(path)?)
    }

    /// The object at `path`, as what it is.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(matches!(file.root()?.node("soft")?, hdf5_lite::Node::Dataset(_)));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn node(&self, path: &str) -> Result<Node> {
        self.lookup(path)?.into_node()
    }

    /// Whether `path` leads to an object.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.root()?.contains("inner/deep")?);
    /// assert!(!file.root()?.contains("outer")?);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn contains(&self, path: &str) -> Result<bool> {
        match self.lookup(path) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All links, in the byte order of their names.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let names: Vec<String> = file.group("inner")?.links()?.iter().map(|link| link.name().into()).collect();
    /// assert_eq!(names, ["deep"]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn links(&self) -> Result<Vec<Link>> {
        let file = self.file();
        let mut links: Vec<Link> = Vec::new();
        let mut add = |link| {
            file.limits().ask_entries("links of a group", links.len())?;
            links.push(link);
            Ok(())
        };
        match &self.links {
            Links::Symbols(symbols) => symbols.for_each(file, &mut add)?,
            Links::Compact => {
                let header = self.object.header();
                for message in header.all::<LinkMessage>() {
                    add(header.parse::<LinkMessage>(file, message)?.into())?;
                }
            }
            Links::Dense(dense) => dense.select(file, None, &mut |body, _| {
                add(LinkMessage::read(&body, file.sizes())?.into())
            })?,
        }
        links.sort_by(|a, b| a.name_bytes().cmp(b.name_bytes()));
        Ok(links)
    }

    /// The link called `name`, if there is one; it is not followed.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.root()?.find_link("elsewhere")?.is_some()); // the file it leads to is not asked for
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn find_link(&self, name: &str) -> Result<Option<Link>> {
        if let Some(link) = self.find_link_bytes(name.as_bytes())? {
            return Ok(Some(link));
        }
        match latin_1(name) {
            Some(name) => self.find_link_bytes(&name),
            None => Ok(None),
        }
    }

    fn find_link_bytes(&self, name: &[u8]) -> Result<Option<Link>> {
        let file = self.file();
        match &self.links {
            Links::Symbols(symbols) => symbols.find(file, name),
            Links::Compact => {
                let header = self.object.header();
                let named = |body| LinkMessage::name_of(body) == Some(name);
                let found = header.all::<LinkMessage>().find(|raw| named(header.bytes(raw)));
                match found {
                    Some(raw) => Ok(Some(header.parse::<LinkMessage>(file, raw)?.into())),
                    None => Ok(None),
                }
            }
            Links::Dense(dense) => {
                let mut found = None;
                dense.select(file, Some(name), &mut |body, _| {
                    if LinkMessage::name_of(&body.data) == Some(name) {
                        found = Some(LinkMessage::read(&body, file.sizes())?.into());
                    }
                    Ok(())
                })?;
                Ok(found)
            }
        }
    }

    /// The object that `link`, one of this group's, leads to.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let root = file.root()?;
    /// let link = root.find_link("soft")?.unwrap();
    /// assert_eq!(root.follow(&link)?.address(), file.dataset("inner/deep/pi")?.object().address());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn follow(&self, link: &Link) -> Result<Object> {
        self.follow_within(link, &mut 0)
    }

    /// Follows `link`, after `followed` soft links on the way to one object. Their number is
    /// bounded, not only their depth: a path may go through the same links many times.
    fn follow_within(&self, link: &Link, followed: &mut u32) -> Result<Object> {
        let path = join(self.path(), &link.name());
        match &link.target {
            LinkTarget::Hard(address) => Object::open(self.file(), address.0, path),
            LinkTarget::Soft(target) => {
                *followed += 1;
                self.file().limits().ask_depth("soft links on the way to an object", *followed)?;
                Ok(self.lookup_within(&text(target), followed)?.with_path(path))
            }
            LinkTarget::External { file, path: target } => {
                let other = self.file().other(&text(file), "an external link")?;
                Ok(other.root()?.lookup(&text(target))?.with_path(path))
            }
            LinkTarget::UserDefined { kind, .. } => Err(Error::Unsupported {
                structure: "user-defined link",
                field: "type",
                found: u64::from(*kind),
            }),
        }
    }

    fn lookup(&self, path: &str) -> Result<Object> {
        self.lookup_within(path, &mut 0)
    }

    fn lookup_within(&self, path: &str, followed: &mut u32) -> Result<Object> {
        let mut names = path.split('/').filter(|name| !matches!(*name, "" | "."));
        let Some(mut name) = names.next() else {
            return if path.starts_with('/') {
                self.file().root_object()
            } else {
                Ok(self.object.clone())
            };
        };
        let mut group = if path.starts_with('/') {
            Cow::Owned(self.file().root()?)
        } else {
            Cow::Borrowed(self)
        };
        loop {
            let Some(link) = group.find_link(name)? else {
                return Err(Error::NotFound {
                    what: "link",
                    name: name.into(),
                    place: group.path().into(),
                });
            };
            let object = group.follow_within(&link, followed)?;
            match names.next() {
                None => return Ok(object),
                Some(next) => name = next,
            }
            group = Cow::Owned(Self::new(object)?);
        }
    }
}

/// `name` below `path`.
fn join(path: &str, name: &str) -> Arc<str> {
    let mut joined = String::with_capacity(path.len() + 1 + name.len());
    joined.push_str(path.strip_suffix('/').unwrap_or(path));
    joined.push('/');
    joined.push_str(name);
    joined.into()
}
