//! Elements as values.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Axis, Dataset, Selection, chunked};
use crate::element::{self, Element, Value};
use crate::error::{Error, Result};
use crate::message::DataLayout;
use crate::reference::Region;
use crate::selection::StoredSelection;

impl Dataset {
    /// All elements where they lie in memory, if they are of type `T`, in the byte order of this
    /// machine, aligned and in one piece.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        element::view(self.datatype(), self.memory()?)
    }

    /// All elements as numbers: borrowed where [`as_slice`](Self::as_slice) can, else converted
    /// or decoded. Of arrays and complex numbers, the parts come one by one.
    ///
    /// Integers are exact, floats are rounded to the nearest value; what does not fit `T` is
    /// [`Error::OutOfRange`].
    pub fn read<T: Element>(&self) -> Result<Cow<'_, [T]>> {
        if let Some(values) = self.as_slice() {
            return Ok(Cow::Borrowed(values));
        }
        if self.has_none() {
            return Ok(Cow::Borrowed(&[]));
        }
        if let Some(values) = self.decoded(&Selection::all(self.shape()))? {
            return Ok(Cow::Owned(values));
        }
        let bytes = self.bytes()?;
        element::numbers(self.datatype(), &bytes, || self.path().into()).map(Cow::Owned)
    }

    /// The selected elements as numbers; only the chunks that hold them are read.
    ///
    /// ```no_run
    /// # let file = hdf5_lite::File::open("model.h5")?;
    /// let rows: Vec<f32> = file.dataset("kernel")?.read_slice(hdf5_lite::s![0..16, ..])?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn read_slice<T: Element>(&self, selection: impl AsRef<[Axis]>) -> Result<Vec<T>> {
        let selection = Selection::new(selection.as_ref(), &self.extent()?.dims)?;
        if selection.elements() == Some(0) {
            return Ok(Vec::new());
        }
        if let Some(values) = self.decoded(&selection)? {
            return Ok(values);
        }
        let bytes = self.select(&selection)?;
        element::numbers(self.datatype(), &bytes, || self.path().into())
    }

    /// The selected elements, brought to where they stay in one step, if just such values are stored.
    fn decoded<T: Element>(&self, selection: &Selection) -> Result<Option<Vec<T>>> {
        if !T::is_stored_as(self.datatype()) {
            return Ok(None);
        }
        let size = size_of::<T>();
        let wanted = selection.elements().and_then(|n| n.checked_mul(size as u64));
        let wanted = wanted.unwrap_or(u64::MAX);
        if let DataLayout::Chunked(layout) = &self.inner.layout {
            return chunked::read(self, layout, selection, wanted).map(Some);
        }
        let Some(all) = self.in_place(self.wanted_bytes()?)? else { return Ok(None) };
        let mut picked = self.filled::<T>(wanted, all.len() as u64)?;
        let (shape, to) = (self.shape(), bytemuck::cast_slice_mut(&mut picked));
        selection.copy_from(&all, &vec![0; shape.len()], shape, size, to);
        Ok(Some(picked))
    }

    /// The selected elements as stored; only the chunks that hold them are read.
    pub fn bytes_of_slice(&self, selection: impl AsRef<[Axis]>) -> Result<Bytes> {
        let selection = Selection::new(selection.as_ref(), &self.extent()?.dims)?;
        if selection.elements() == Some(0) {
            return Ok(Bytes::new());
        }
        self.select(&selection)
    }

    /// All elements as strings. A dataset without elements has none, whatever its type.
    pub fn strings(&self) -> Result<Vec<String>> {
        if self.has_none() {
            return Ok(Vec::new());
        }
        element::strings(self.file(), self.datatype(), &self.bytes()?, || self.path().into())
    }

    /// All elements, of any type, as trees.
    pub fn values(&self) -> Result<Vec<Value>> {
        element::values(self.file(), self.datatype(), &self.bytes()?, self.stored_bytes()?)
    }

    /// The elements of `selection`, of any type, as trees.
    pub fn values_of_slice(&self, selection: impl AsRef<[Axis]>) -> Result<Vec<Value>> {
        let bytes = self.bytes_of_slice(selection)?;
        element::values(self.file(), self.datatype(), &bytes, self.stored_bytes()?)
    }

    /// The elements at `points`, in their order, as stored. Each point has a coordinate per axis.
    /// Of a chunked dataset, only the chunks that hold them are read, each once.
    pub fn bytes_of_points(&self, points: &[impl AsRef<[u64]>]) -> Result<Bytes> {
        let shape = self.extent()?.dims;
        let inside = |point: &[u64]| {
            point.len() == shape.len() && point.iter().zip(&shape).all(|(at, len)| at < len)
        };
        if let Some(outside) = points.iter().map(AsRef::as_ref).find(|point| !inside(point)) {
            let reason = format!("has the point {outside:?}, the dataset has shape {shape:?}");
            return Err(Error::Selection { reason });
        }
        if let DataLayout::Chunked(layout) = &self.inner.layout {
            return chunked::read_points(self, layout, points);
        }
        let mut bytes = Vec::new();
        let points = points.iter().map(|point| point.as_ref().to_vec()).collect();
        self.copy_selected(&StoredSelection::Points(points), &mut bytes)?;
        Ok(bytes.into())
    }

    /// The elements at `points`, in their order, as numbers.
    pub fn read_points<T: Element>(&self, points: &[impl AsRef<[u64]>]) -> Result<Vec<T>> {
        let bytes = self.bytes_of_points(points)?;
        element::numbers(self.datatype(), &bytes, || self.path().into())
    }

    /// The elements that a reference to a region of this dataset means, as stored.
    pub fn bytes_of_region(&self, region: &Region) -> Result<Bytes> {
        if region.object() != self.object.address() {
            let reason = "is of another dataset".into();
            return Err(Error::Selection { reason });
        }
        let mut bytes = Vec::new();
        self.copy_selected(&region.selection, &mut bytes)?;
        Ok(bytes.into())
    }

    /// The elements that a reference to a region of this dataset means, as numbers.
    pub fn read_region<T: Element>(&self, region: &Region) -> Result<Vec<T>> {
        let bytes = self.bytes_of_region(region)?;
        element::numbers(self.datatype(), &bytes, || self.path().into())
    }

    /// Appends the selected elements to `out`.
    fn copy_selected(&self, selection: &StoredSelection, out: &mut Vec<u8>) -> Result<()> {
        let (bytes, space) = self.bytes_and_extent()?;
        let size = self.datatype().size();
        for (start, len) in selection.runs(&space.dims, self.file().limits())? {
            let part = usize::try_from(start).ok().zip(usize::try_from(len).ok());
            let part = part.and_then(|(start, len)| {
                let (start, len) = (start.checked_mul(size)?, len.checked_mul(size)?);
                bytes.get(start..start.checked_add(len)?)
            });
            let part = part.ok_or_else(|| self.broken("size of the elements"))?;
            self.file().limits().ask_read((out.len() + part.len()) as u64, bytes.len() as u64)?;
            out.extend_from_slice(part);
        }
        Ok(())
    }
}
