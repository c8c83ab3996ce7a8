//! Attributes.

use std::borrow::Cow;

use bytes::Bytes;

use crate::element::{self, Element, Value};
use crate::error::{Error, Result};
use crate::file::File;
use crate::group::Name;
use crate::limits::Limits;
use crate::message::{AttributeMessage, Dataspace, Datatype, Message, Shared};
use crate::object::text;
use crate::parse::{Address, Structure};
use crate::storage::Block;

/// A small named value on an object.
///
/// ```no_run
/// # let file = hdf5_lite::File::open("model.h5")?;
/// let root = file.root()?;
/// let version = root.attr("keras_version")?.string()?;
/// let rates: Vec<f64> = root.attr("rates")?.read()?;
/// for attribute in root.attrs()? {
///     println!("{} {:?}: {:?}", attribute.name(), attribute.shape(), attribute.values()?);
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Attribute {
    file: File,
    name: Name,
    /// Path of the object, for errors.
    place: std::sync::Arc<str>,
    datatype: Datatype,
    space: Dataspace,
    data: Block,
    creation_order: Option<u32>,
    /// The committed datatype that its type is.
    pub(crate) committed: Option<Address>,
}

impl Attribute {
    pub(crate) fn new(
        file: &File,
        place: &std::sync::Arc<str>,
        message: AttributeMessage,
        creation_order: Option<u32>,
    ) -> Result<Self> {
        let AttributeMessage { name, data, .. } = message;
        let committed = if message.datatype_is_shared {
            Shared::committed(&message.datatype, file.sizes())?
        } else {
            None
        };
        Ok(Self {
            file: file.clone(),
            name: Name(name.data),
            place: place.clone(),
            datatype: part(file, &message.datatype, message.datatype_is_shared)?,
            space: part(file, &message.dataspace, message.dataspace_is_shared)?,
            data,
            creation_order,
            committed,
        })
    }

    /// Its name.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let attribute = file.root()?.attr("title")?;
    /// assert_eq!(attribute.name(), "title");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn name(&self) -> Cow<'_, str> {
        text(&self.name.0)
    }

    /// Its name as stored.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("title")?.name_bytes(), b"title");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn name_bytes(&self) -> &[u8] {
        &self.name.0
    }

    /// Its number in the order of creation, if the object keeps it.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("title")?.creation_order(), None); // h5py keeps it on request
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn creation_order(&self) -> Option<u32> {
        self.creation_order
    }

    /// The type of its elements.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("scale")?.datatype().size(), 4);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn datatype(&self) -> &Datatype {
        &self.datatype
    }

    /// Its extent.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let scale = file.root()?.attr("scale")?;
    /// assert_eq!(scale.dataspace().class, hdf5_lite::SpaceClass::Scalar);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn dataspace(&self) -> &Dataspace {
        &self.space
    }

    /// The length of each axis; empty for a scalar and for a null dataspace.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("tags")?.shape(), [2]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn shape(&self) -> &[u64] {
        &self.space.dims
    }

    /// The elements as stored.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("scale")?.bytes()?, 2.5_f32.to_le_bytes()[..]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn bytes(&self) -> Result<Bytes> {
        let wanted = self.space.elements().and_then(|n| n.checked_mul(self.datatype.size() as u64));
        let wanted = wanted.unwrap_or(u64::MAX);
        Limits::ask("bytes of an attribute", wanted, self.file.limits().attribute_bytes)?;
        match usize::try_from(wanted).ok().and_then(|len| self.data.slice(0, len)) {
            Some(data) => Ok(data.data),
            None => Err(AttributeMessage::malformed(self.data.at, "data")),
        }
    }

    /// The elements as numbers; see [`Dataset::read`](crate::Dataset::read) for the conversions.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("scale")?.read::<f64>()?, [2.5]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn read<T: Element>(&self) -> Result<Vec<T>> {
        element::numbers(&self.datatype, &self.bytes()?, || self.place())
    }

    /// The elements of any type, as trees.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Value;
    /// assert_eq!(file.root()?.attr("scale")?.values()?, [Value::Float(2.5)]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn values(&self) -> Result<Vec<Value>> {
        let bytes = self.bytes()?;
        element::values(&self.file, &self.datatype, &bytes, bytes.len() as u64)
    }

    /// The only element, a number.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let scale: f32 = file.root()?.attr("scale")?.scalar()?;
    /// assert_eq!(scale, 2.5);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn scalar<T: Element>(&self) -> Result<T> {
        match self.read()?.as_slice() {
            [value] => Ok(*value),
            other => Err(self.not("one number", format!("an array of {}", other.len()))),
        }
    }

    /// The only element, a string of fixed or variable length.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("title")?.string()?, "A tour");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn string(&self) -> Result<String> {
        match (self.space.elements(), self.strings()?.pop()) {
            (Some(1), Some(only)) => Ok(only),
            (n, _) => Err(self.not("one string", format!("an array of {}", n.unwrap_or(0)))),
        }
    }

    /// All elements as strings. An attribute without elements has none, whatever its type.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.root()?.attr("tags")?.strings()?, ["small", "round"]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn strings(&self) -> Result<Vec<String>> {
        if self.space.elements() == Some(0) {
            return Ok(Vec::new());
        }
        element::strings(&self.file, &self.datatype, &self.bytes()?, || self.place())
    }

    /// The file it is in.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let attribute = file.root()?.attr("title")?;
    /// assert_eq!(attribute.file().superblock_version(), file.superblock_version());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn file(&self) -> &File {
        &self.file
    }

    fn place(&self) -> String {
        format!("attribute {:?} of {}", self.name(), self.place)
    }

    fn not(&self, wanted: &'static str, found: String) -> Error {
        Error::WrongType { place: self.place(), wanted, found }
    }
}

/// A datatype or dataspace within the attribute's message.
fn part<M: Message>(file: &File, body: &Block, shared: bool) -> Result<M> {
    if shared { file.shared(body) } else { M::read(body, file.sizes()) }
}
