//! Objects: what groups, datasets and committed datatypes have in common.

use std::fmt;
use std::sync::Arc;

use crate::attribute::Attribute;
use crate::btree::records::Dense;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::file::File;
use crate::group::Group;
use crate::header::{ObjectHeader, RawMessage, unknown_object};
use crate::message::{
    self, AttributeInfo, AttributeMessage, DataLayout, Dataspace, Datatype, GroupInfo, LinkInfo,
    LinkMessage, ModificationTime, ModificationTimeOld, ObjectComment, ReferenceCount, SymbolTable,
};
use crate::parse::{Address, Structure};

/// Where an object's header lies: two links to one address are links to one object.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// let soft = file.dataset("soft")?;
/// assert_eq!(soft.object().address(), file.dataset("inner/deep/pi")?.object().address());
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectAddress(pub(crate) Address);

impl ObjectAddress {
    /// Bytes from the superblock on.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.root()?.object().address().get() > 0);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn get(self) -> u64 {
        self.0.0
    }
}

/// An object of any kind.
///
/// ```no_run
/// # let file = hdf5_lite::File::open("model.h5")?;
/// use hdf5_lite::Node;
/// match file.node("model_weights")? {
///     Node::Group(group) => println!("{} links", group.links()?.len()),
///     Node::Dataset(dataset) => println!("{:?}", dataset.shape()),
///     Node::Datatype(committed) => println!("{:?}", committed.datatype()),
///     _ => {}
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Node {
    /// A group.
    Group(Group),
    /// A dataset.
    Dataset(Dataset),
    /// A committed datatype.
    Datatype(CommittedDatatype),
}

impl Node {
    /// The part that all kinds have.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let node = file.node("grid")?;
    /// assert_eq!(node.object().path(), "/grid");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn object(&self) -> &Object {
        match self {
            Self::Group(group) => group.object(),
            Self::Dataset(dataset) => dataset.object(),
            Self::Datatype(datatype) => &datatype.object,
        }
    }
}

/// The header of an object: its attributes, and what kind of object it is.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// let object = file.group("inner")?.object().clone();
/// println!("{} at {:#x}: {}", object.path(), object.address().get(), object.kind()?);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone)]
pub struct Object {
    file: File,
    address: Address,
    path: Arc<str>,
    header: Arc<ObjectHeader>,
}

/// Kind of an object.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::ObjectKind;
/// assert_eq!(file.node("grid")?.object().kind()?, ObjectKind::Dataset);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectKind {
    /// A group.
    Group,
    /// A dataset.
    Dataset,
    /// A committed datatype.
    Datatype,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "a group",
            Self::Dataset => "a dataset",
            Self::Datatype => "a committed datatype",
        })
    }
}

impl Object {
    pub(crate) fn open(file: &File, address: Address, path: Arc<str>) -> Result<Self> {
        let header = file.header(address)?;
        Ok(Self { file: file.clone(), address, path, header })
    }

    pub(crate) fn with_path(self, path: Arc<str>) -> Self {
        Self { path, ..self }
    }

    /// The file it is in.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let grid = file.dataset("grid")?;
    /// assert_eq!(grid.object().file().user_block(), 0);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The path that led here.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.object().path(), "/grid");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where its header lies.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let address = file.dataset("grid")?.object().address();
    /// assert_eq!(file.object_at(address)?.kind()?, hdf5_lite::ObjectKind::Dataset);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn address(&self) -> ObjectAddress {
        ObjectAddress(self.address)
    }

    pub(crate) fn header(&self) -> &ObjectHeader {
        &self.header
    }

    /// What the messages in the header make it.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.node("inner")?.object().kind()?, hdf5_lite::ObjectKind::Group);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn kind(&self) -> Result<ObjectKind> {
        let header = self.header();
        if header.has::<SymbolTable>() || header.has::<LinkInfo>() {
            Ok(ObjectKind::Group)
        } else if header.has::<Datatype>() && header.has::<Dataspace>() {
            Ok(ObjectKind::Dataset)
        } else if header.has::<Datatype>() && !header.has::<DataLayout>() {
            Ok(ObjectKind::Datatype)
        } else if header.has::<GroupInfo>() || header.has::<LinkMessage>() {
            Ok(ObjectKind::Group)
        } else {
            Err(unknown_object(self.file.offset(self.address)))
        }
    }

    /// The object as what it is.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let object = file.node("grid")?.object().clone();
    /// assert!(matches!(object.into_node()?, hdf5_lite::Node::Dataset(_)));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn into_node(self) -> Result<Node> {
        Ok(match self.kind()? {
            ObjectKind::Group => Node::Group(Group::new(self)?),
            ObjectKind::Dataset => Node::Dataset(Dataset::new(self)?),
            ObjectKind::Datatype => Node::Datatype(CommittedDatatype::new(self)?),
        })
    }

    /// The error for an object that is not what the caller wanted.
    pub(crate) fn wrong_type(&self, wanted: &'static str) -> Error {
        let found = self.kind().map_or_else(|error| error.to_string(), |kind| kind.to_string());
        Error::WrongType { place: self.path().into(), wanted, found }
    }

    /// The attribute `name`, if there is one.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let object = file.root()?.object().clone();
    /// assert!(object.find_attr("title")?.is_some() && object.find_attr("subtitle")?.is_none());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn find_attr(&self, name: &str) -> Result<Option<Attribute>> {
        if let Some(found) = self.find_attr_bytes(name.as_bytes())? {
            return Ok(Some(found));
        }
        match latin_1(name) {
            Some(name) => self.find_attr_bytes(&name),
            None => Ok(None),
        }
    }

    fn find_attr_bytes(&self, name: &[u8]) -> Result<Option<Attribute>> {
        for message in self.header.all::<AttributeMessage>() {
            // The name of a shared attribute is known only when it is read.
            if message.is_shared()
                || AttributeMessage::name_of(self.header.bytes(message)) == Some(name)
            {
                let found = self.attribute(message)?;
                if found.name_bytes() == name {
                    return Ok(Some(found));
                }
            }
        }
        let mut found = None;
        self.for_each_dense(Some(name), &mut |attribute| {
            if attribute.name_bytes() == name {
                found = Some(attribute);
            }
        })?;
        Ok(found)
    }

    /// The attribute `name`.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.object().attr("title")?.string()?, "A tour");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn attr(&self, name: &str) -> Result<Attribute> {
        self.find_attr(name)?.ok_or_else(|| Error::NotFound {
            what: "attribute",
            name: name.into(),
            place: self.path().into(),
        })
    }

    /// All attributes, in the byte order of their names.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.object().attrs()?.len(), 3);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn attrs(&self) -> Result<Vec<Attribute>> {
        let mut attributes = Vec::new();
        for message in self.header.all::<AttributeMessage>() {
            attributes.push(self.attribute(message)?);
        }
        self.for_each_dense(None, &mut |attribute| attributes.push(attribute))?;
        attributes.sort_by(|a, b| a.name_bytes().cmp(b.name_bytes()));
        Ok(attributes)
    }

    fn attribute(&self, message: &RawMessage) -> Result<Attribute> {
        let attribute = self.header.parse::<AttributeMessage>(&self.file, message)?;
        let order = message.creation_order.map(u32::from);
        Attribute::new(&self.file, &self.path, attribute, order)
    }

    fn for_each_dense(&self, name: Option<&[u8]>, visit: &mut impl FnMut(Attribute)) -> Result<()> {
        let file = &self.file;
        let Some(dense) = self.dense_attributes()? else { return Ok(()) };
        let mut number = 0;
        dense.select(file, name, &mut |body, record| {
            number += 1;
            file.limits().ask_entries("attributes of an object", number)?;
            // Flag bit 1: what lies in the heap is a shared message.
            let attribute: AttributeMessage = if record.flags & 2 != 0 {
                file.shared(&body)?
            } else {
                AttributeMessage::read(&body, file.sizes())?
            };
            let order = record.creation_order.filter(|_| self.header.ordered);
            visit(Attribute::new(file, &self.path, attribute, order)?);
            Ok(())
        })
    }

    fn dense_attributes(&self) -> Result<Option<&Dense>> {
        if let Some(dense) = self.header.dense_attributes.get() {
            return Ok(dense.as_ref());
        }
        let dense = match self.header.find::<AttributeInfo>(&self.file)? {
            Some(AttributeInfo { heap: Some(heap), name_index: Some(index), .. }) => {
                Some(Dense::open(&self.file, heap, index)?)
            }
            _ => None,
        };
        Ok(self.header.dense_attributes.get_or_init(|| dense).as_ref())
    }

    /// The comment that someone left on it.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let comment = file.group("inner/deep")?.object().comment()?;
    /// assert_eq!(comment.as_deref(), Some("made by hand"));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn comment(&self) -> Result<Option<String>> {
        let comment = self.header.find::<ObjectComment>(&self.file)?;
        Ok(comment.map(|comment| text(&comment.0).into_owned()))
    }

    /// When it was last modified, in seconds after the Unix epoch.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// if let Some(seconds) = file.dataset("grid")?.object().modified()? {
    ///     println!("{seconds} seconds after 1970");
    /// }
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn modified(&self) -> Result<Option<u32>> {
        if let Some(time) = self.header.find::<ModificationTime>(&self.file)? {
            return Ok(Some(time.0));
        }
        let old = self.header.find::<ModificationTimeOld>(&self.file)?;
        Ok(old.and_then(ModificationTimeOld::seconds).or(self.header.modified))
    }

    /// Hard links to it; one if the header does not say.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.object().reference_count()?, 1);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn reference_count(&self) -> Result<u32> {
        let count = self.header.find::<ReferenceCount>(&self.file)?;
        Ok(count.map(|count| count.0).or(self.header.reference_count).unwrap_or(1))
    }

    /// Types and names of the header's messages; the name of an unknown type is empty.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let names: Vec<&str> = file.dataset("grid")?.object().messages().map(|(_, name)| name).collect();
    /// assert!(names.contains(&"Datatype") && names.contains(&"Dataspace"));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn messages(&self) -> impl Iterator<Item = (u16, &'static str)> {
        let messages = self.header.messages().iter();
        messages.map(|raw| (raw.id, message::name(raw.id).unwrap_or_default()))
    }

    /// Parses every message of the header, those too that reading never asks for.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.dataset("grid")?.object().check_messages().is_ok());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn check_messages(&self) -> Result<()> {
        for raw in self.header.messages().iter().filter(|raw| !raw.is_shared()) {
            message::check(raw.id, &self.header.body(raw), self.file.sizes())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("path", &self.path)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A datatype with a name of its own.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Node;
/// let Node::Datatype(committed) = file.node("committed")? else { panic!() };
/// assert_eq!(committed.datatype().size(), 8);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CommittedDatatype {
    object: Object,
    datatype: Datatype,
}

impl CommittedDatatype {
    pub(crate) fn new(object: Object) -> Result<Self> {
        let datatype = object.header().need(object.file())?;
        Ok(Self { object, datatype })
    }

    /// The datatype.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Node;
    /// let Node::Datatype(committed) = file.node("committed")? else { panic!() };
    /// assert_eq!(committed.datatype().class(), "floating-point");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn datatype(&self) -> &Datatype {
        &self.datatype
    }
}

/// Gives a handle the methods of its object.
macro_rules! as_object {
    ($($handle:ty),*) => { $(
        impl $handle {
            /// The part that all kinds of objects have.
            ///
            /// ```
            /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
            /// assert_eq!(file.group("inner")?.object().path(), "/inner");
            /// # Ok::<_, hdf5_lite::Error>(())
            /// ```
            pub fn object(&self) -> &$crate::object::Object {
                &self.object
            }

            /// The path that led here.
            ///
            /// ```
            /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
            /// assert_eq!(file.group("inner")?.path(), "/inner");
            /// # Ok::<_, hdf5_lite::Error>(())
            /// ```
            pub fn path(&self) -> &str {
                self.object.path()
            }

            /// The attribute `name`, if there is one.
            ///
            /// ```
            /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
            /// assert!(file.dataset("grid")?.find_attr("units")?.is_some());
            /// # Ok::<_, hdf5_lite::Error>(())
            /// ```
            pub fn find_attr(&self, name: &str) -> $crate::Result<Option<$crate::Attribute>> {
                self.object.find_attr(name)
            }

            /// The attribute `name`.
            ///
            /// ```
            /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
            /// assert_eq!(file.dataset("grid")?.attr("units")?.string()?, "metres");
            /// # Ok::<_, hdf5_lite::Error>(())
            /// ```
            pub fn attr(&self, name: &str) -> $crate::Result<$crate::Attribute> {
                self.object.attr(name)
            }

            /// All attributes, in the byte order of their names.
            ///
            /// ```
            /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
            /// assert_eq!(file.dataset("grid")?.attrs()?[0].name(), "units");
            /// # Ok::<_, hdf5_lite::Error>(())
            /// ```
            pub fn attrs(&self) -> $crate::Result<Vec<$crate::Attribute>> {
                self.object.attrs()
            }
        }
    )* };
}

as_object!(Group, CommittedDatatype, Dataset);

/// A name or text in the file: UTF-8, or Latin-1 if it is not that.
pub(crate) fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

/// The bytes of a name that [`text`] could have shown as `name` because it is not UTF-8.
pub(crate) fn latin_1(name: &str) -> Option<Vec<u8>> {
    let bytes: Option<Vec<u8>> = name.chars().map(|c| u8::try_from(c).ok()).collect();
    bytes.filter(|bytes| std::str::from_utf8(bytes).is_err())
}
