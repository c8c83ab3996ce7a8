//! Groups of a file that is written.

use bytes::Bytes;

use super::array::Array;
use super::dataset::DatasetMut;
use super::tree::{Kind, Node, Target, check, join, unwritable};
use super::{Writer, copy, value};
use crate::error::Result;
use crate::group::LinkTarget;
use crate::message::Datatype;
use crate::object::Object;
use crate::reference::Reference;

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
        check(&datatype).map_err(|error| {
            unwritable(&join(&self.writer.path(parent), name), format!("its datatype: {error}"))
        })?;
        self.writer.add(Node::new(parent, name.as_bytes(), Kind::Datatype(datatype)))?;
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
        self.writer.attempt(|writer| {
            let new = writer.nodes.len();
            copy::object(writer, object, parent, name.as_bytes())?;
            writer.link(parent, name.as_bytes(), Target::Node(new))
        })
    }

    /// Keeps the order in which links and attributes are made, as h5py's `track_order=True`:
    /// readers that ask for it get them in this order, not by name. It starts with the first.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.root_mut().track_order()?.set_attr("z", 1)?.set_attr("a", 2)?;
    /// let file = hdf5_lite::File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.root()?.attr("a")?.creation_order(), Some(1));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn track_order(&mut self) -> Result<&mut Self> {
        self.writer.track_order(self.at)?;
        Ok(self)
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
