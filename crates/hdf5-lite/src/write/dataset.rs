//! Datasets of a file that is written.

use bytes::Bytes;

use super::Writer;
use super::array::Array;
use super::tree::{Kind, Node, Place, Stored};
use crate::element::Element;
use crate::error::Result;
use crate::message::FilterInfo;

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

    /// Sends its chunks through a filter, behind those that were asked for before. What the
    /// filter has to know of the dataset need not be in the client data.
    ///
    /// An optional filter is left out of chunks that it does not make smaller, and of all if this
    /// crate only reads it; any other is an error then.
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
        self.filter(built_in(2, true, Vec::new()))
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

    /// Compresses its chunks fast, as h5py's `compression="lzf"`: h5py alone reads them without a
    /// plug-in.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[7; 1000])?.chunks([500]).shuffle().lzf();
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn lzf(&mut self) -> &mut Self {
        self.filter(FilterInfo { name: "lzf".into(), ..built_in(32_000, true, Vec::new()) })
    }

    /// Stores of each number only its significant bits.
    ///
    /// ```
    /// use hdf5_lite::{Array, ByteOrder, Datatype, FixedPoint, Writer};
    /// let order = ByteOrder::LittleEndian;
    /// let datatype = FixedPoint { size: 2, order, signed: false, offset: 0, precision: 5 };
    /// let array = Array::bytes([2], Datatype::FixedPoint(datatype), &[31, 0, 7, 0]);
    /// let mut file = Writer::new();
    /// file.dataset("data", array)?.chunks([2]).nbit();
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn nbit(&mut self) -> &mut Self {
        self.filter(built_in(5, true, Vec::new()))
    }

    /// Stores differences from the smallest number of a chunk: of integers in `scale` bits, or, 0,
    /// in as few as hold them; of floats rounded to `scale` decimal digits.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[1_000_000, 1_000_007])?.chunks([2]).scale_offset(0);
    /// file.dataset("rounded", &[1.2501, 1.7512])?.chunks([2]).scale_offset(2);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn scale_offset(&mut self, scale: i32) -> &mut Self {
        self.filter(built_in(6, true, vec![scale.cast_unsigned()]))
    }

    /// Compresses its chunks as instruments in space do: differences of neighbours, in blocks of an
    /// even number of elements, 8 to 32.
    ///
    /// ```
    /// let mut file = hdf5_lite::Writer::new();
    /// file.dataset("data", &[7; 1000])?.chunks([500]).szip(16);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn szip(&mut self, block: u32) -> &mut Self {
        const NEAREST_NEIGHBOUR: u32 = 32;
        self.filter(built_in(4, true, vec![NEAREST_NEIGHBOUR, block]))
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
    /// file.dataset("data", &[1.0_f32])?.fill_value(-1.0_f32)?;
    /// assert!(file.dataset("more", &[1.0_f32])?.fill_value(-1_i32).is_err());
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// let fill = file.dataset("data")?.fill_value()?;
    /// assert_eq!(fill.as_deref(), Some(&(-1.0_f32).to_ne_bytes()[..]));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn fill_value<T: Element>(&mut self, value: T) -> Result<&mut Self> {
        let place = Place { writer: self.writer, at: self.at };
        match place.writer.nodes.get(self.at).map(|node| &node.kind) {
            Some(Kind::Dataset(stored)) if T::is_stored_as(&stored.datatype) => {}
            _ => return Err(place.unwritable("a fill value of another type")),
        }
        let value = Bytes::copy_from_slice(bytemuck::bytes_of(&value));
        Ok(self.stored(|stored| stored.fill = value))
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

/// A filter of the C library's own.
fn built_in(id: u16, optional: bool, client_data: Vec<u32>) -> FilterInfo {
    FilterInfo { id, name: String::new(), optional, client_data }
}
