//! Datasets: elements borrowed from the file, or decoded.

mod cache;
mod chunked;
mod external;
mod mapping;
mod raw;
mod read;
mod selection;
mod stored_chunk;

pub(crate) use raw::{Raw, RawChunk};
pub use selection::Axis;
pub(crate) use selection::Selection;
pub use stored_chunk::StoredChunk;

use std::io;
use std::sync::{Arc, OnceLock};

use bytemuck::Pod;
use bytes::Bytes;

use crate::chunk::{self, Chunk, Grid};
use crate::error::{Error, Result};
use crate::file::File;
use crate::gather::Gather;
use crate::limits::Limits;
use crate::message::{
    ChunkedLayout, DataLayout, Dataspace, Datatype, ExternalFiles, FillValue, FillValueOld,
    FilterInfo, FilterPipeline,
};
use crate::object::{Object, ObjectKind};
use crate::parse::Structure;
use crate::storage::Storage;

/// A dataset; a clone is another handle to the same one.
///
/// ```no_run
/// # let file = hdf5_lite::File::open("model.h5")?;
/// let kernel = file.dataset("dense/kernel")?;
/// println!("{:?} of {:?}, {:?}", kernel.shape(), kernel.datatype(), kernel.layout());
/// let all = kernel.read::<f32>()?; // borrowed if it lies in the file as it is
/// let every_second = hdf5_lite::Axis { start: 0, stride: 2, count: None, block: 1 };
/// let rows: Vec<f32> = kernel.read_slice(hdf5_lite::s![every_second, ..])?;
/// let points: Vec<f32> = kernel.read_points(&[[0, 0], [7, 3]])?;
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) object: Object,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    datatype: Datatype,
    space: Dataspace,
    layout: DataLayout,
    /// Known after the first read.
    index: OnceLock<Index>,
}

/// The chunks of a dataset.
#[derive(Debug)]
struct Index {
    grid: Grid,
    chunks: Vec<Chunk>,
    /// Chunks of which parts were read.
    cache: cache::Cache,
}

impl Index {
    /// The chunk numbered `index` in the grid, if it is in the file.
    fn chunk(&self, index: u64) -> Option<&Chunk> {
        let found = self.chunks.binary_search_by_key(&index, |chunk| chunk.index);
        found.ok().and_then(|at| self.chunks.get(at))
    }
}

/// How the elements are stored.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::Layout;
/// assert_eq!(file.dataset("grid")?.layout(), Layout::Chunked);
/// assert_eq!(file.dataset("counts")?.layout(), Layout::Contiguous);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// In the object's header.
    Compact,
    /// In one piece, or in raw files.
    Contiguous,
    /// In chunks.
    Chunked,
    /// In other datasets.
    Virtual,
}

/// A part of a raw file that holds elements.
///
/// ```
/// let file = hdf5_lite::File::open("../../fixtures/hdf5/external_storage_new.h5")?;
/// let parts = file.dataset("external")?.external_files()?;
/// assert_eq!((&parts[0].name[..], &parts[1].name[..]), (&b"external_1.raw"[..], &b"external_2.raw"[..]));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalFile {
    /// The name as stored.
    pub name: Bytes,
    /// Where in the file the part starts.
    pub offset: u64,
    /// How long it is; `None` for as long as the file.
    pub size: Option<u64>,
}

impl Dataset {
    pub(crate) fn new(object: Object) -> Result<Self> {
        if object.kind()? != ObjectKind::Dataset {
            return Err(object.wrong_type("a dataset"));
        }
        let (file, header) = (object.file(), object.header());
        let inner = Inner {
            datatype: header.need(file)?,
            space: header.need(file)?,
            layout: header.need(file)?,
            index: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner), object })
    }

    fn file(&self) -> &File {
        self.object.file()
    }

    /// The type of the elements.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.datatype().class(), "floating-point");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn datatype(&self) -> &Datatype {
        &self.inner.datatype
    }

    /// The extent as stored. A virtual dataset may be larger: see [`extent`](Self::extent).
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.dataspace().elements(), Some(24));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn dataspace(&self) -> &Dataspace {
        &self.inner.space
    }

    /// The length of each axis; empty for a scalar and for a null dataspace.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.shape(), [4, 6]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn shape(&self) -> &[u64] {
        &self.inner.space.dims
    }

    /// The extent; of a virtual dataset, that which its sources give it.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.extent()?.dims, [4, 6]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn extent(&self) -> Result<Dataspace> {
        match self.inner.layout {
            DataLayout::Virtual(id) => mapping::extent(self, id),
            _ => Ok(self.inner.space.clone()),
        }
    }

    /// All elements as stored, and their extent; of a virtual dataset both belong together.
    fn bytes_and_extent(&self) -> Result<(Bytes, Dataspace)> {
        match self.inner.layout {
            DataLayout::Virtual(id) => {
                let all = mapping::read(self, id, &[])?;
                Ok((all.bytes, all.space))
            }
            _ => Ok((self.bytes()?, self.inner.space.clone())),
        }
    }

    /// The number of elements; `None` if 64 bits cannot say it.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.elements(), Some(24));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn elements(&self) -> Option<u64> {
        self.inner.space.elements()
    }

    /// Whether there are no elements; a virtual dataset knows only with its sources.
    fn has_none(&self) -> bool {
        self.elements() == Some(0) && self.layout() != Layout::Virtual
    }

    /// How the elements are stored.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.layout(), hdf5_lite::Layout::Chunked);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn layout(&self) -> Layout {
        match self.inner.layout {
            DataLayout::Compact(_) => Layout::Compact,
            DataLayout::Contiguous { .. } => Layout::Contiguous,
            DataLayout::Chunked(_) => Layout::Chunked,
            DataLayout::Virtual(_) => Layout::Virtual,
        }
    }

    /// Elements along each axis of a chunk, if it is chunked.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.chunks(), Some(&[2, 3][..]));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn chunks(&self) -> Option<&[u64]> {
        match &self.inner.layout {
            DataLayout::Chunked(layout) => Some(&layout.dims),
            _ => None,
        }
    }

    /// The filters of its chunks, in the order of writing.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let ids: Vec<u16> = file.dataset("grid")?.filters()?.iter().map(|filter| filter.id).collect();
    /// assert_eq!(ids, [2, 1]); // shuffle, then deflate
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn filters(&self) -> Result<Vec<FilterInfo>> {
        Ok(self.pipeline()?.filters)
    }

    fn pipeline(&self) -> Result<FilterPipeline> {
        let pipeline = self.object.header().find::<FilterPipeline>(self.file())?;
        Ok(pipeline.unwrap_or_default())
    }

    /// The value of elements that were never written, as stored; `None` for the default, zeros.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let fill = file.dataset("grid")?.fill_value()?;
    /// assert_eq!(fill.as_deref(), Some(&(-1.0_f32).to_le_bytes()[..]));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn fill_value(&self) -> Result<Option<Bytes>> {
        let (file, header) = (self.file(), self.object.header());
        let value = header.find::<FillValue>(file)?.map(|fill| fill.value);
        let value = match value.filter(|value| !value.is_empty()) {
            Some(value) => Some(value),
            None => header.find::<FillValueOld>(file)?.map(|fill| fill.value),
        };
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// The raw files that hold the elements, if they are not in this file.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.dataset("grid")?.external_files()?.is_empty());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn external_files(&self) -> Result<Vec<ExternalFile>> {
        match self.object.header().find::<ExternalFiles>(self.file())? {
            Some(files) => external::names(self.file(), &files),
            None => Ok(Vec::new()),
        }
    }

    /// Bytes that the elements take in the file; not those in other files.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let grid = file.dataset("grid")?;
    /// assert!(grid.stored_bytes()? < grid.bytes()?.len() as u64); // gzip
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn stored_bytes(&self) -> Result<u64> {
        Ok(match &self.inner.layout {
            DataLayout::Compact(data) => data.len() as u64,
            DataLayout::Contiguous { address: Some(_), .. } => self.wanted_bytes()?,
            DataLayout::Chunked(layout) => {
                let sizes = self.index(layout)?.chunks.iter().map(|chunk| chunk.size);
                sizes.fold(0, u64::saturating_add)
            }
            DataLayout::Contiguous { .. } | DataLayout::Virtual(_) => 0,
        })
    }

    /// Bytes of all elements.
    fn wanted_bytes(&self) -> Result<u64> {
        self.bytes_of(self.elements())
    }

    /// Bytes of so many elements.
    fn bytes_of(&self, elements: Option<u64>) -> Result<u64> {
        let bytes = elements.and_then(|n| n.checked_mul(self.datatype().size() as u64));
        bytes.ok_or(Error::LimitExceeded {
            what: "bytes of one read",
            wanted: u64::MAX,
            limit: self.file().limits().read_bytes,
        })
    }

    /// All elements as stored, in row-major order. They are not copied if they lie in the file
    /// in one piece.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("counts")?.bytes()?, [1, 0, 2, 0, 3, 0][..]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn bytes(&self) -> Result<Bytes> {
        if let DataLayout::Virtual(id) = self.inner.layout {
            return Ok(mapping::read(self, id, &[])?.bytes);
        }
        let wanted = self.wanted_bytes()?;
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.in_place()? {
            return Ok(bytes);
        }
        self.select(&Selection::all(self.shape()))
    }

    /// The elements of `selection` as stored, in row-major order.
    fn select(&self, selection: &Selection) -> Result<Bytes> {
        let wanted = self.bytes_of(selection.elements())?;
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        match &self.inner.layout {
            DataLayout::Chunked(layout) => {
                chunked::read::<u8>(self, layout, selection, wanted).map(Bytes::from)
            }
            DataLayout::Contiguous { address: None, .. }
                if self.object.header().has::<ExternalFiles>() =>
            {
                let files = self.object.header().need::<ExternalFiles>(self.file())?;
                let all = external::read(self.file(), &files, self.wanted_bytes()?)?;
                if selection.is_all(self.shape()) {
                    return Ok(all);
                }
                self.pick(&Storage::bytes(all), 0, 0, self.shape(), selection).map(Bytes::from)
            }
            DataLayout::Compact(_) | DataLayout::Contiguous { .. } => match self.piece()? {
                Some((storage, offset)) => {
                    self.pick(&storage, offset, 0, self.shape(), selection).map(Bytes::from)
                }
                None => self.filled::<u8>(wanted, 0).map(Bytes::from),
            },
            DataLayout::Virtual(id) => {
                let bounds: Vec<_> = selection.bounds().collect();
                let rows = mapping::read(self, *id, &bounds)?;
                let mut shape = rows.space.dims;
                if let Some(len) = shape.first_mut() {
                    *len = rows.number;
                }
                if selection.is_all(&shape) {
                    return Ok(rows.bytes);
                }
                let rows_only = Storage::bytes(rows.bytes);
                self.pick(&rows_only, 0, rows.first, &shape, selection).map(Bytes::from)
            }
        }
    }

    /// The selected elements of a box, whose elements lie at `offset` of `storage`: the box goes from
    /// position `first` of the first axis on, from 0 of the others.
    fn pick<T: Pod>(
        &self,
        storage: &Storage,
        offset: u64,
        first: u64,
        shape: &[u64],
        selection: &Selection,
    ) -> Result<Vec<T>> {
        let wanted = self.bytes_of(selection.elements())?;
        let mut start = vec![0; shape.len()];
        if let Some(start) = start.first_mut() {
            *start = first;
        }
        let mut gather = Gather::new(storage, self.room(wanted, storage.len())?);
        selection.runs(&start, shape, self.datatype().size(), |at, len| {
            gather.add(offset.saturating_add(at), len)
        })?;
        gather.finish()
    }

    /// Where the elements lie, if that is in one piece: all of them, from an offset on.
    fn piece(&self) -> Result<Option<(Storage, u64)>> {
        let wanted = self.wanted_bytes()?;
        match &self.inner.layout {
            DataLayout::Compact(data) if data.len() as u64 >= wanted => {
                Ok(Some((Storage::bytes(data.clone()), 0)))
            }
            DataLayout::Compact(_) => Err(self.broken("size of compact data")),
            DataLayout::Contiguous { address: Some(address), size } => {
                if size.is_some_and(|size| size < wanted) {
                    return Err(self.broken("size of contiguous data"));
                }
                let offset = self.file().offset(*address);
                self.file().storage().check(offset, wanted)?;
                Ok(Some((self.file().storage().clone(), offset)))
            }
            _ => Ok(None),
        }
    }

    /// The elements where they lie, if that is in one piece.
    fn in_place(&self) -> Result<Option<Bytes>> {
        let Some((storage, offset)) = self.piece()? else { return Ok(None) };
        let wanted = self.wanted_bytes()?;
        Limits::ask("bytes of one read", wanted, self.file().limits().read_bytes)?;
        Ok(Some(storage.read(offset, wanted)?.data))
    }

    fn broken(&self, field: &'static str) -> Error {
        DataLayout::malformed(self.file().offset(self.object.address().0), field)
    }

    /// Room for `wanted` bytes of elements, backed by `stored` bytes of the file.
    fn room<T>(&self, wanted: u64, stored: u64) -> Result<Vec<T>> {
        self.file().limits().ask_read(wanted, stored)?;
        let mut room = Vec::new();
        let number = usize::try_from(wanted).unwrap_or(usize::MAX) / size_of::<T>().max(1);
        room.try_reserve_exact(number).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(room)
    }

    /// `wanted` bytes of fill value, for elements backed by `stored` bytes of the file.
    fn filled<T: Pod>(&self, wanted: u64, stored: u64) -> Result<Vec<T>> {
        self.file().limits().ask_read(wanted, stored)?;
        let number = usize::try_from(wanted).unwrap_or(usize::MAX) / size_of::<T>();
        // Zeros that the system gives, and does not touch before they are used.
        let zeros = bytemuck::allocation::try_zeroed_slice_box(number);
        let mut elements: Vec<T> =
            zeros.map_err(|()| io::ErrorKind::OutOfMemory).map_err(io::Error::from)?.into_vec();
        let fill = self.fill_value()?.filter(|value| value.len() == self.datatype().size());
        if let Some(value) = fill.filter(|value| value.iter().any(|byte| *byte != 0)) {
            for element in bytemuck::cast_slice_mut(&mut elements).chunks_exact_mut(value.len()) {
                element.copy_from_slice(&value);
            }
        }
        Ok(elements)
    }

    /// The chunks, read once.
    fn index(&self, layout: &ChunkedLayout) -> Result<&Index> {
        if let Some(index) = self.inner.index.get() {
            return Ok(index);
        }
        let at = self.file().offset(self.object.address().0);
        let grid = Grid::new(&self.inner.space, layout, at)?;
        let chunks = chunk::chunks(self.file(), layout, &grid)?;
        let index = Index { grid, chunks, cache: cache::Cache::default() };
        Ok(self.inner.index.get_or_init(|| index))
    }

    /// All elements as they lie in memory: the map or the bytes that the file was opened from.
    fn memory(&self) -> Option<&[u8]> {
        let wanted = usize::try_from(self.wanted_bytes().ok()?).ok()?;
        match &self.inner.layout {
            DataLayout::Compact(data) => data.get(..wanted),
            DataLayout::Contiguous { address: Some(_), .. } => {
                // The same checks as for any read.
                let part = self.in_place().ok().flatten()?;
                let memory = self.file().memory()?;
                let start = part.as_ptr().addr().checked_sub(memory.as_ptr().addr())?;
                memory.get(start..start.checked_add(wanted)?)
            }
            _ => None,
        }
    }
}
