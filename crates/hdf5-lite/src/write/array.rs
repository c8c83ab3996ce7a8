//! What a dataset or an attribute is to hold.

use std::borrow::Cow;
use std::{fmt, io};

use bytemuck::NoUninit;
use bytes::Bytes;

use crate::dataset::{ExternalFile, RawChunk};
use crate::element::{Element, Value};
use crate::error::{Error, Result};
use crate::heap::GlobalHeapId;
use crate::message::{CharacterSet, Dataspace, Datatype, Padding, SpaceClass, StringType};
use crate::storage::Source;

/// Elements to be written: a type, an extent, and where the values are.
///
/// Numbers, texts and slices of them become arrays by themselves: one axis, or a scalar.
///
/// ```
/// use hdf5_lite::{Array, Writer};
/// let weights = vec![0.5_f32; 48];
/// let mut file = Writer::new();
/// file.dataset("kernel", Array::new([6, 8], &weights))?; // borrowed until it is written
/// file.root_mut().set_attr("rates", [0.1, 0.01])?;
/// file.root_mut().set_attr("title", "A tour")?; // variable-length UTF-8, as h5py writes str
/// file.root_mut().set_attr("names", Array::fixed_strings(["a", "b"]))?; // as numpy.bytes_
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Debug)]
pub struct Array<'a> {
    pub(super) datatype: Datatype,
    pub(super) space: Dataspace,
    pub(super) data: Data<'a>,
}

/// Where the elements are.
pub(super) enum Data<'a> {
    /// As stored.
    Memory(Cow<'a, [u8]>),
    Shared(Bytes),
    Source(Box<dyn Source + 'a>),
    /// Not there: all are the fill value.
    Absent,
    /// In other files.
    External(Vec<ExternalFile>),
    /// In chunks, as another file has them.
    Chunks(Vec<RawChunk>),
    /// In other datasets: an object of the global heap says where.
    Virtual(Option<GlobalHeapId>),
    /// Of any type; they become bytes when a writer takes them.
    Values(Vec<Value>),
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => write!(f, "{} values", values.len()),
            _ => write!(f, "{:?} bytes", self.len()),
        }
    }
}

impl Data<'_> {
    /// Bytes of all elements, if they are bytes.
    pub(super) fn len(&self) -> Option<u64> {
        match self {
            Self::Memory(bytes) => Some(bytes.len() as u64),
            Self::Shared(bytes) => Some(bytes.len() as u64),
            Self::Source(source) => Some(source.len()),
            _ => None,
        }
    }

    /// All the bytes, if they are bytes and no more than `most`.
    pub(super) fn read(&self, most: u64) -> Result<Bytes> {
        let len = self.len().filter(|len| *len <= most).and_then(|len| usize::try_from(len).ok());
        let Some(len) = len else {
            let (what, wanted) = ("bytes of elements", self.len().unwrap_or(0));
            return Err(Error::LimitExceeded { what, wanted, limit: most });
        };
        let bytes = match self {
            Self::Memory(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes.clone(),
            Self::Source(source) => source.read_at(0, len)?,
            _ => Bytes::new(),
        };
        if bytes.len() == len {
            Ok(bytes)
        } else {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
        }
    }

    /// The bytes, if they are in memory.
    pub(super) fn memory(&self) -> Option<&[u8]> {
        match self {
            Self::Memory(bytes) => Some(bytes),
            Self::Shared(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<'a> Array<'a> {
    /// An array of numbers, in row-major order. Borrowed ones are not copied.
    ///
    /// ```
    /// use hdf5_lite::{Array, File, Writer};
    /// let mut file = Writer::new();
    /// file.dataset("grid", Array::new([2, 3], &[1_i16, 2, 3, 4, 5, 6]))?;
    /// file.dataset("pi", Array::new([], &[3.14159]))?; // a scalar
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("grid")?.shape(), [2, 3]);
    /// assert_eq!(file.dataset("pi")?.shape(), []);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn new<T: Element>(shape: impl Into<Dataspace>, elements: impl Into<Cow<'a, [T]>>) -> Self {
        let data = match elements.into() {
            Cow::Borrowed(elements) => Data::Memory(bytemuck::cast_slice(elements).into()),
            Cow::Owned(elements) => Data::Shared(Bytes::from_owner(Owned(elements))),
        };
        Self { datatype: Datatype::of::<T>(), space: shape.into(), data }
    }

    /// Elements as they are stored, of a type without values of variable length and references.
    ///
    /// ```
    /// use hdf5_lite::{Array, ByteOrder, Datatype, FixedPoint};
    /// let order = ByteOrder::BigEndian;
    /// let datatype = FixedPoint { size: 2, order, signed: false, offset: 0, precision: 16 };
    /// let array = Array::bytes([2], Datatype::FixedPoint(datatype), &[0, 1, 0, 2]);
    /// ```
    pub fn bytes(
        shape: impl Into<Dataspace>,
        datatype: Datatype,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Self {
        Self { datatype, space: shape.into(), data: Data::Memory(bytes.into()) }
    }

    /// As [`bytes`](Self::bytes), of shared bytes: a part of a map, another file's dataset.
    ///
    /// ```
    /// use hdf5_lite::{Array, File, Writer};
    /// let other = File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// let grid = other.dataset("grid")?;
    /// let mut file = Writer::new();
    /// let array = Array::shared(grid.dataspace().clone(), grid.datatype().clone(), grid.bytes()?);
    /// file.dataset("grid", array)?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn shared(shape: impl Into<Dataspace>, datatype: Datatype, bytes: Bytes) -> Self {
        Self { datatype, space: shape.into(), data: Data::Shared(bytes) }
    }

    /// As [`bytes`](Self::bytes), of bytes that are asked for when they are written: in order,
    /// a piece at a time; of a chunked dataset, all that the chunks hold which are at one place
    /// of the first axis.
    ///
    /// ```
    /// use hdf5_lite::{Array, Datatype, Seekable, Writer};
    /// let raw = Seekable::new(std::io::Cursor::new(vec![0; 4000]))?; // or a file of 10 GB
    /// let mut file = Writer::new();
    /// file.dataset("data", Array::lazy([10, 100], Datatype::of::<f32>(), raw))?;
    /// assert!(file.to_bytes()?.len() > 4000);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn lazy(shape: impl Into<Dataspace>, datatype: Datatype, source: impl Source + 'a) -> Self {
        Self { datatype, space: shape.into(), data: Data::Source(Box::new(source)) }
    }

    /// Elements of any type, as trees.
    ///
    /// ```
    /// use hdf5_lite::{Array, Datatype, File, Value, VariableKind, Writer};
    /// let lists = vec![
    ///     Value::Sequence(vec![Value::Signed(1), Value::Signed(2)]),
    ///     Value::Sequence(vec![]),
    /// ];
    /// let datatype = Datatype::sequence(Datatype::of::<i32>());
    /// let mut file = Writer::new();
    /// file.dataset("lists", Array::values([2], datatype, lists.clone()))?;
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("lists")?.values()?, lists);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn values(shape: impl Into<Dataspace>, datatype: Datatype, values: Vec<Value>) -> Self {
        Self { datatype, space: shape.into(), data: Data::Values(values) }
    }

    /// Texts of variable length in UTF-8, of any shape.
    ///
    /// ```
    /// use hdf5_lite::{Array, File, Writer};
    /// let mut file = Writer::new();
    /// file.dataset("labels", Array::strings([2, 1], ["zero", "one"]))?;
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.dataset("labels")?.strings()?, ["zero", "one"]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn strings<S: Into<String>>(
        shape: impl Into<Dataspace>,
        texts: impl IntoIterator<Item = S>,
    ) -> Self {
        let values = texts.into_iter().map(|text| Value::String(text.into())).collect();
        Self::values(shape, Datatype::text(), values)
    }

    /// Texts of the length of the longest, padded with NULs: as h5py writes `numpy.bytes_`. The
    /// encoding counts as ASCII.
    ///
    /// ```
    /// use hdf5_lite::{Array, File, Writer};
    /// let mut file = Writer::new();
    /// file.root_mut().set_attr("layer_names", Array::fixed_strings(["dense", "dense_1"]))?;
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.root()?.attr("layer_names")?.strings()?, ["dense", "dense_1"]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn fixed_strings<S: AsRef<[u8]>>(texts: impl IntoIterator<Item = S>) -> Self {
        let texts: Vec<S> = texts.into_iter().collect();
        Self::padded([texts.len() as u64].into(), &texts)
    }

    /// One text of fixed length; see [`fixed_strings`](Self::fixed_strings).
    ///
    /// ```
    /// use hdf5_lite::{Array, File, Writer};
    /// let mut file = Writer::new();
    /// file.root_mut().set_attr("backend", Array::fixed_string("tensorflow"))?;
    /// let file = File::from_bytes(file.to_bytes()?)?;
    /// assert_eq!(file.root()?.attr("backend")?.string()?, "tensorflow");
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn fixed_string(text: impl AsRef<[u8]>) -> Self {
        Self::padded(Dataspace::scalar(), &[text])
    }

    fn padded<S: AsRef<[u8]>>(space: Dataspace, texts: &[S]) -> Self {
        let longest = texts.iter().map(|text| text.as_ref().len()).max().unwrap_or(0).max(1);
        let mut bytes = vec![0; longest * texts.len()];
        for (to, text) in bytes.chunks_exact_mut(longest).zip(texts) {
            to.iter_mut().zip(text.as_ref()).for_each(|(to, from)| *to = *from);
        }
        let size = u32::try_from(longest).unwrap_or(u32::MAX); // a length that does not fit shows
        let (padding, character_set) = (Padding::NullPad, CharacterSet::Ascii);
        let datatype = Datatype::String(StringType { size, padding, character_set });
        Self { datatype, space, data: Data::Memory(bytes.into()) }
    }

    /// No elements at all, of a type nevertheless: `h5py.Empty`.
    ///
    /// ```
    /// use hdf5_lite::{Array, Datatype, Writer};
    /// let mut file = Writer::new();
    /// file.root_mut().set_attr("nothing", Array::null(Datatype::of::<f32>()))?;
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn null(datatype: Datatype) -> Self {
        let (dims, max_dims) = (Vec::new(), Vec::new());
        let space = Dataspace { class: SpaceClass::Null, dims, max_dims };
        Self { datatype, space, data: Data::Shared(Bytes::new()) }
    }

    /// Elements that are not there, and take no room: all are the fill value. With
    /// [`chunks`](super::DatasetMut::chunks) others may come in their place.
    ///
    /// ```
    /// use hdf5_lite::{Array, Dataspace, Datatype, File, Writer};
    /// let mut file = Writer::new();
    /// let space = Dataspace::from([0, 3]).growing([None, Some(3)]);
    /// file.dataset("log", Array::absent(space, Datatype::of::<f64>()))?.chunks([100, 3]);
    /// file.dataset("ones", Array::absent([1 << 20], Datatype::of::<u8>()))?.fill_value(1_u8)?;
    /// let bytes = file.to_bytes()?;
    /// assert!(bytes.len() < 1000);
    /// assert_eq!(File::from_bytes(bytes)?.dataset("ones")?.read_slice::<u8>(hdf5_lite::s![7..9])?, [1, 1]);
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn absent(shape: impl Into<Dataspace>, datatype: Datatype) -> Self {
        Self { datatype, space: shape.into(), data: Data::Absent }
    }

    fn booleans(space: Dataspace, values: &'a [bool]) -> Self {
        let bytes = bytemuck::cast_slice(values);
        Self::bytes(space, Datatype::boolean(), bytes)
    }
}

/// Elements that a shared slice of bytes keeps alive.
struct Owned<T>(Vec<T>);

impl<T: NoUninit> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// An array of one axis.
fn axis(len: usize) -> Dataspace {
    [len as u64].into()
}

impl<T: Element> From<T> for Array<'_> {
    fn from(value: T) -> Self {
        Self::new(Dataspace::scalar(), vec![value])
    }
}

impl<T: Element> From<Vec<T>> for Array<'_> {
    fn from(values: Vec<T>) -> Self {
        Self::new(axis(values.len()), values)
    }
}

impl<'a, T: Element> From<&'a [T]> for Array<'a> {
    fn from(values: &'a [T]) -> Self {
        Self::new(axis(values.len()), values)
    }
}

impl<'a, T: Element> From<&'a Vec<T>> for Array<'a> {
    fn from(values: &'a Vec<T>) -> Self {
        values.as_slice().into()
    }
}

impl<'a, T: Element, const N: usize> From<&'a [T; N]> for Array<'a> {
    fn from(values: &'a [T; N]) -> Self {
        values.as_slice().into()
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Array<'_> {
    fn from(values: [T; N]) -> Self {
        values.to_vec().into()
    }
}

impl From<bool> for Array<'_> {
    fn from(value: bool) -> Self {
        Self::booleans(Dataspace::scalar(), if value { &[true] } else { &[false] })
    }
}

impl<'a> From<&'a [bool]> for Array<'a> {
    fn from(values: &'a [bool]) -> Self {
        Self::booleans(axis(values.len()), values)
    }
}

impl From<&str> for Array<'_> {
    fn from(text: &str) -> Self {
        Self::strings(Dataspace::scalar(), [text])
    }
}

impl From<String> for Array<'_> {
    fn from(text: String) -> Self {
        Self::strings(Dataspace::scalar(), [text])
    }
}

impl From<&String> for Array<'_> {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

/// Lists of texts become one axis of strings.
macro_rules! lists_of_texts {
    ($($list:ty $(, $n:ident)?;)*) => { $(
        impl $(<const $n: usize>)? From<$list> for Array<'_> {
            fn from(texts: $list) -> Self {
                Self::strings(axis(texts.len()), texts.iter().map(ToString::to_string))
            }
        }
    )* };
}

lists_of_texts! {
    &[&str];
    &[String];
    Vec<&str>;
    Vec<String>;
    &Vec<String>;
    [&str; N], N;
    &[&str; N], N;
}
