//! Elements as values.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Axis, Dataset, Selection, chunked};
use crate::element::{self, Element, Value};
use crate::error::{Error, Result};
use crate::gather::Gather;
use crate::message::DataLayout;
use crate::reference::Region;
use crate::selection::StoredSelection;
use crate::storage::Storage;

impl Dataset {
    /// All elements where they lie in memory, if they are of type `T`, in the byte order of this
    /// machine, aligned and in one piece.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("counts")?.as_slice::<f32>(), None); // they are 16-bit integers
    /// assert_eq!(file.dataset("grid")?.as_slice::<f32>(), None); // they are compressed
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        element::view(self.datatype(), self.memory()?)
    }

    /// All elements as numbers: borrowed where [`as_slice`](Self::as_slice) can, else converted
    /// or decoded. Of arrays and complex numbers, the parts come one by one.
    ///
    /// Integers are exact, floats are rounded to the nearest value; what does not fit `T` is
    /// [`Error::OutOfRange`].
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let counts = file.dataset("counts")?;
    /// assert_eq!(*counts.read::<f64>()?, [1.0, 2.0, 3.0]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
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

    /// The same as [`read`](Self::read) in a `Vec` of their own.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let counts: Vec<i16> = file.dataset("counts")?.to_vec()?;
    /// assert_eq!(counts, [1, 2, 3]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if !self.has_none()
            && let Some(values) = self.decoded(&Selection::all(self.shape()))?
        {
            return Ok(values);
        }
        self.read().map(Cow::into_owned)
    }

    /// The selected elements as numbers; only the chunks that hold them are read.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let grid = file.dataset("grid")?;
    /// assert_eq!(grid.read_slice::<f32>(hdf5_lite::s![1, 2..5])?, [8.0, 9.0, 10.0]);
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
        if !element::is_made_of::<T>(self.datatype()) {
            return Ok(None);
        }
        let wanted = self.bytes_of(selection.elements())?;
        if wanted == 0 {
            return Ok(Some(Vec::new()));
        }
        if let DataLayout::Chunked(layout) = &self.inner.layout {
            return chunked::read(self, layout, selection, wanted).map(Some);
        }
        let Some((storage, offset)) = self.piece()? else { return Ok(None) };
        self.pick(&storage, offset, 0, self.shape(), selection).map(Some)
    }

    /// The selected elements as stored; only the chunks that hold them are read.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let counts = file.dataset("counts")?;
    /// assert_eq!(counts.bytes_of_slice(hdf5_lite::s![1..3])?, [2, 0, 3, 0][..]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn bytes_of_slice(&self, selection: impl AsRef<[Axis]>) -> Result<Bytes> {
        self.select(&Selection::new(selection.as_ref(), &self.extent()?.dims)?)
    }

    /// All elements as strings. A dataset without elements has none, whatever its type.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("labels")?.strings()?, ["red", "green", "blue"]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn strings(&self) -> Result<Vec<String>> {
        if self.has_none() {
            return Ok(Vec::new());
        }
        element::strings(self.file(), self.datatype(), &self.bytes()?, || self.path().into())
    }

    /// All elements, of any type, as trees.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Value;
    /// let cities = file.dataset("cities")?.values()?;
    /// let Value::Compound(rome) = &cities[0] else { panic!() };
    /// assert_eq!(rome[1], ("people".into(), Value::Unsigned(2_750_000)));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn values(&self) -> Result<Vec<Value>> {
        element::values(self.file(), self.datatype(), &self.bytes()?, self.stored_bytes()?)
    }

    /// The elements of `selection`, of any type, as trees.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::Value;
    /// let lists = file.dataset("lists")?.values_of_slice(hdf5_lite::s![1..])?;
    /// assert_eq!(lists, [Value::Sequence(vec![Value::Signed(4)])]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn values_of_slice(&self, selection: impl AsRef<[Axis]>) -> Result<Vec<Value>> {
        let bytes = self.bytes_of_slice(selection)?;
        element::values(self.file(), self.datatype(), &bytes, self.stored_bytes()?)
    }

    /// The elements at `points`, in their order, as stored. Each point has a coordinate per axis.
    /// Of a chunked dataset, only the chunks that hold them are read, each once.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("counts")?.bytes_of_points(&[[2], [0]])?, [3, 0, 1, 0][..]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn bytes_of_points(&self, points: &[impl AsRef<[u64]>]) -> Result<Bytes> {
        let shape = self.extent()?.dims;
        if let Some(outside) = points.iter().map(AsRef::as_ref).find(|p| !is_inside(p, &shape)) {
            let reason = format!("has the point {outside:?}, the dataset has shape {shape:?}");
            return Err(Error::Selection { reason });
        }
        let points = points.iter().map(|point| point.as_ref().to_vec()).collect();
        self.stored_selection(&StoredSelection::Points(points))
    }

    /// The elements at `points`, in their order, as numbers.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let grid = file.dataset("grid")?;
    /// assert_eq!(grid.read_points::<f32>(&[[3, 5], [0, 1]])?, [23.0, 1.0]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn read_points<T: Element>(&self, points: &[impl AsRef<[u64]>]) -> Result<Vec<T>> {
        let bytes = self.bytes_of_points(points)?;
        element::numbers(self.datatype(), &bytes, || self.path().into())
    }

    /// The elements that a reference to a region of this dataset means, as stored.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::{Reference, Value};
    /// let references = file.dataset("to_part")?.values()?;
    /// let Value::Reference(Reference::Region(region)) = &references[0] else { panic!() };
    /// assert_eq!(file.dataset("grid")?.bytes_of_region(region)?.len(), 4 * size_of::<f32>());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn bytes_of_region(&self, region: &Region) -> Result<Bytes> {
        if region.object() != self.object.address() {
            let reason = "is of another dataset".into();
            return Err(Error::Selection { reason });
        }
        self.stored_selection(&region.selection)
    }

    /// The elements that a reference to a region of this dataset means, as numbers.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// use hdf5_lite::{Reference, Value};
    /// let references = file.dataset("to_part")?.values()?;
    /// let Value::Reference(Reference::Region(region)) = &references[0] else { panic!() };
    /// assert_eq!(file.dataset("grid")?.read_region::<f32>(region)?, [8.0, 9.0, 14.0, 15.0]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn read_region<T: Element>(&self, region: &Region) -> Result<Vec<T>> {
        let bytes = self.bytes_of_region(region)?;
        element::numbers(self.datatype(), &bytes, || self.path().into())
    }

    /// The selected elements as stored; those beyond the extent are left out. Of a chunked dataset,
    /// only the chunks that hold them are read, unless they are several blocks.
    fn stored_selection(&self, selection: &StoredSelection) -> Result<Bytes> {
        // Elements of no bytes would cost no limit, however many they are.
        if self.datatype().size() == 0 {
            return Ok(Bytes::new());
        }
        let one = selection.axes().map(|axes| Selection::new(&axes, self.shape()));
        match (&self.inner.layout, selection, one) {
            (DataLayout::Chunked(_), _, Some(Ok(selection))) => return self.select(&selection),
            (DataLayout::Chunked(layout), StoredSelection::Points(points), _) => {
                let inside = points.iter().filter(|point| is_inside(point, self.shape()));
                return chunked::read_points(self, layout, &inside.collect::<Vec<_>>());
            }
            _ => {}
        }
        let (storage, offset, space) = if let Some((storage, offset)) = self.piece()? {
            (storage, offset, self.inner.space.clone())
        } else {
            let (bytes, space) = self.bytes_and_extent()?;
            (Storage::bytes(bytes), 0, space)
        };
        let size = self.datatype().size() as u64;
        let limits = self.file().limits();
        let mut gather = Gather::new(&storage, Vec::new());
        let mut wanted = 0_u64;
        for (start, len) in selection.runs(&space.dims, limits)? {
            // Inside an extent whose bytes were counted, so the products fit.
            wanted = wanted.saturating_add(len.saturating_mul(size));
            limits.ask_read(wanted, storage.len())?;
            let at = offset.saturating_add(start.saturating_mul(size));
            gather.add(at, len.saturating_mul(size))?;
        }
        gather.finish().map(Bytes::from)
    }
}

fn is_inside(point: &[u64], shape: &[u64]) -> bool {
    point.len() == shape.len() && point.iter().zip(shape).all(|(at, len)| at < len)
}
