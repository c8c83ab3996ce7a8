//! Tensors: dense, row-major, of any rank.

use half::{bf16, f16};
use keras_model::DType;

use crate::kernels;
use crate::{Error, Result};

macro_rules! elements {
    ($($variant:ident($type:ty) $zero:expr),* $(,)?) => {
        /// The elements of a tensor, by their type.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum Data { $($variant(Vec<$type>)),* }

        /// Borrowed elements.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum Slice<'a> { $($variant(&'a [$type])),* }

        /// Mutably borrowed elements.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum SliceMut<'a> { $($variant(&'a mut [$type])),* }

        impl SliceMut<'_> {
            /// The element type.
            pub(crate) const fn dtype(&self) -> DType {
                match self { $(Self::$variant(_) => DType::$variant),* }
            }
        }

        impl Data {
            /// Zeros (empty strings) of that type; `None` for types that tensors cannot have.
            pub fn zeros(dtype: DType, len: usize) -> Option<Self> {
                Some(match dtype {
                    $(DType::$variant => Self::$variant(vec![$zero; len]),)*
                    _ => return None,
                })
            }

            /// The element type.
            pub const fn dtype(&self) -> DType {
                match self { $(Self::$variant(_) => DType::$variant),* }
            }

            /// Number of elements.
            pub fn len(&self) -> usize {
                match self { $(Self::$variant(v) => v.len()),* }
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Some of the elements, copied.
            fn range(&self, start: usize, end: usize) -> Option<Self> {
                match self { $(Self::$variant(v) => Some(Self::$variant(v.get(start..end)?.to_vec()))),* }
            }

            /// Adds the elements of another one of the same type; whether it is of that type.
            fn extend(&mut self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$variant(v), Self::$variant(w)) => {
                        v.extend_from_slice(w);
                        true
                    })*
                    _ => false,
                }
            }

            /// Memory for `len` elements, for [`aligned`](Self::aligned).
            pub(crate) fn room(dtype: DType, len: usize) -> Option<Self> {
                Self::zeros(dtype, len.saturating_add(kernels::LINE - 1))
            }

            /// `len` elements in memory that [`room`](Self::room) made.
            pub(crate) fn aligned(&self, len: usize) -> Slice<'_> {
                match self {
                    $(Self::$variant(v) => {
                        let part = v.get(kernels::aligned(v, len));
                        Slice::$variant(part.unwrap_or_default())
                    })*
                }
            }

            /// The same to write to.
            pub(crate) fn aligned_mut(&mut self, len: usize) -> SliceMut<'_> {
                match self {
                    $(Self::$variant(v) => {
                        let part = kernels::aligned(v, len);
                        SliceMut::$variant(v.get_mut(part).unwrap_or_default())
                    })*
                }
            }

            /// All elements.
            pub(crate) fn slice_mut(&mut self) -> SliceMut<'_> {
                match self { $(Self::$variant(v) => SliceMut::$variant(v)),* }
            }

            /// Borrows the elements.
            pub fn slice(&self) -> Slice<'_> {
                match self { $(Self::$variant(v) => Slice::$variant(v)),* }
            }
        }

        impl Slice<'_> {
            /// The element type.
            pub const fn dtype(&self) -> DType {
                match self { $(Self::$variant(_) => DType::$variant),* }
            }

            /// Number of elements.
            pub fn len(&self) -> usize {
                match self { $(Self::$variant(v) => v.len()),* }
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The elements as owned ones.
            pub fn to_data(self) -> Data {
                match self { $(Self::$variant(v) => Data::$variant(v.to_vec())),* }
            }
        }

        $(impl Element for $type {
            const DTYPE: DType = DType::$variant;

            fn data(elements: Vec<Self>) -> Data {
                Data::$variant(elements)
            }

            fn borrow(elements: &[Self]) -> Slice<'_> {
                Slice::$variant(elements)
            }

            fn into_vec(data: Data) -> Result<Vec<Self>, Data> {
                match data {
                    Data::$variant(elements) => Ok(elements),
                    other => Err(other),
                }
            }

            fn slice(slice: Slice<'_>) -> Option<&[Self]> {
                match slice { Slice::$variant(v) => Some(v), _ => None }
            }

            fn slice_mut<'a>(slice: &'a mut SliceMut<'_>) -> Option<&'a mut [Self]> {
                match slice { SliceMut::$variant(v) => Some(v), _ => None }
            }

            fn data_mut(data: &mut Data) -> Option<&mut [Self]> {
                match data { Data::$variant(v) => Some(v), _ => None }
            }
        })*

        /// Runs an expression with `$x: &[T]` and `$y: &mut [T]` of whatever type both have.
        macro_rules! each_type {
            ($x_:expr, $y_:expr, |$x:ident, $y:ident| $body:expr) => {
                match ($x_, $y_) {
                    $(($crate::tensor::Slice::$variant($x), $crate::tensor::SliceMut::$variant($y)) => $body,)*
                    _ => return Err($crate::Error::op("move", "element types differ")),
                }
            };
        }
        pub(crate) use each_type;
    };
}

elements! {
    Float32(f32) 0.0,
    Float64(f64) 0.0,
    Float16(f16) f16::ZERO,
    BFloat16(bf16) bf16::ZERO,
    Int8(i8) 0,
    Int16(i16) 0,
    Int32(i32) 0,
    Int64(i64) 0,
    UInt8(u8) 0,
    UInt16(u16) 0,
    UInt32(u32) 0,
    UInt64(u64) 0,
    Bool(bool) false,
    String(String) String::new(),
}

/// A Rust type that a tensor can hold.
pub trait Element: Clone + Send + Sync + 'static {
    /// Keras's name of the type.
    const DTYPE: DType;
    /// Elements as a tensor holds them.
    fn data(elements: Vec<Self>) -> Data;
    /// Elements borrowed as a tensor's are.
    fn borrow(elements: &[Self]) -> Slice<'_>;
    /// The elements, if they are of this type.
    ///
    /// # Errors
    /// The elements, if they are of another type.
    fn into_vec(data: Data) -> Result<Vec<Self>, Data>;
    /// The elements, if they are of this type.
    fn slice(slice: Slice<'_>) -> Option<&[Self]>;
    /// The elements, if they are of this type.
    #[doc(hidden)]
    fn slice_mut<'a>(slice: &'a mut SliceMut<'_>) -> Option<&'a mut [Self]>;
    /// The elements, if they are of this type.
    #[doc(hidden)]
    fn data_mut(data: &mut Data) -> Option<&mut [Self]>;
}

/// Values with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

impl Tensor {
    /// A tensor of that shape with these elements, row-major.
    ///
    /// # Errors
    /// [`Error::Elements`] if their number is not that of the shape.
    pub fn new<T: Element>(shape: impl Into<Vec<usize>>, elements: Vec<T>) -> Result<Self> {
        Self::from_data(shape, T::data(elements))
    }

    /// The same for elements whose type is known only when the program runs.
    ///
    /// # Errors
    /// [`Error::Elements`] if their number is not that of the shape.
    pub fn from_data(shape: impl Into<Vec<usize>>, data: Data) -> Result<Self> {
        let shape = shape.into();
        let expected = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        if expected == Some(data.len()) {
            return Ok(Self { shape, data });
        }
        let expected = expected.unwrap_or(usize::MAX);
        Err(Error::Elements { shape, expected, found: data.len() })
    }

    /// The same for elements whose number is known to be that of the shape.
    #[cfg(feature = "ndarray")]
    pub(crate) fn of_parts(shape: Vec<usize>, data: Data) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape, data }
    }

    /// A tensor without axes.
    pub fn scalar<T: Element>(value: T) -> Self {
        Self { shape: Vec::new(), data: T::data(vec![value]) }
    }

    /// Zeros (`false`, empty strings). Types that tensors cannot have become `float32`.
    pub fn zeros(shape: impl Into<Vec<usize>>, dtype: DType) -> Self {
        let shape = shape.into();
        let len = shape.iter().product();
        let data = Data::zeros(dtype, len).unwrap_or_else(|| Data::Float32(vec![0.0; len]));
        Self { shape, data }
    }

    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The elements, by their type.
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// Shape and elements.
    pub fn into_parts(self) -> (Vec<usize>, Data) {
        (self.shape, self.data)
    }

    /// The elements, row-major, if they are of that type.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        T::slice(self.data.slice())
    }

    /// The elements to be changed, row-major, if they are of that type.
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        T::data_mut(&mut self.data)
    }

    /// The tensor, borrowed.
    pub fn view(&self) -> View<'_> {
        View { shape: &self.shape, data: self.data.slice() }
    }
}

/// A borrowed tensor.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Lengths of the axes.
    pub shape: &'a [usize],
    /// The elements, row-major.
    pub data: Slice<'a>,
}

impl<'a> View<'a> {
    /// The elements of a type that the plan made sure of.
    pub(crate) fn of<T: Element>(&self, op: &'static str) -> Result<&'a [T]> {
        T::slice(self.data).ok_or_else(|| {
            Error::op(op, format!("expected {}, found {}", T::DTYPE, self.data.dtype()))
        })
    }

    /// The tensor, copied.
    pub fn to_tensor(self) -> Tensor {
        Tensor { shape: self.shape.to_vec(), data: self.data.to_data() }
    }
}

/// The elements of a result, of a type that the plan made sure of.
pub(crate) fn out<'a, T: Element>(
    data: &'a mut SliceMut<'_>,
    op: &'static str,
) -> Result<&'a mut [T]> {
    let found = data.dtype();
    T::slice_mut(data)
        .ok_or_else(|| Error::op(op, format!("makes {}, asked for {found}", T::DTYPE)))
}

impl Tensor {
    /// The same elements in another shape.
    ///
    /// # Errors
    /// [`Error::Elements`] if the shape has another number of elements.
    pub fn with_shape(self, shape: impl Into<Vec<usize>>) -> Result<Self> {
        Self::from_data(shape, self.data)
    }

    /// The elements in another type, as `keras.ops.cast` makes them.
    ///
    /// # Errors
    /// [`Error::Op`] between strings and numbers.
    pub fn cast(&self, dtype: DType) -> Result<Self> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        let mut data = Data::zeros(dtype, self.len())
            .ok_or_else(|| Error::op("cast", format!("tensors of {dtype} are unknown")))?;
        crate::ops::cast(self.view(), data.slice_mut())?;
        Self::from_data(self.shape.clone(), data)
    }

    /// The elements `start..end` along the first axis.
    ///
    /// # Errors
    /// [`Error::Op`] for a scalar, or a start behind the end.
    pub fn rows(&self, start: usize, end: usize) -> Result<Self> {
        let wrong = || Error::op("slice", format!("rows {start}..{end} of {:?}", self.shape));
        let (rows, rest) = self.shape.split_first().ok_or_else(wrong)?;
        let (end, width) = (end.min(*rows), rest.iter().product::<usize>());
        let count = end.checked_sub(start).ok_or_else(wrong)?;
        let data = self.data.range(start * width, end * width).ok_or_else(wrong)?;
        Self::from_data([&[count], rest].concat(), data)
    }

    /// The elements at these places along the first axis, in that order.
    ///
    /// # Errors
    /// [`Error::Op`] for a scalar, or a place that there is not.
    pub fn rows_at(&self, rows: &[usize]) -> Result<Self> {
        let wrong = || Error::op("take", format!("rows {rows:?} of {:?}", self.shape));
        let (_, rest) = self.shape.split_first().ok_or_else(wrong)?;
        let width = rest.iter().product::<usize>();
        let mut data = self.data.range(0, 0).ok_or_else(wrong)?;
        for row in rows {
            let part = self.data.range(row * width, (row + 1) * width).ok_or_else(wrong)?;
            data.extend(&part);
        }
        Self::from_data([&[rows.len()], rest].concat(), data)
    }

    /// Tensors behind each other along the first axis.
    ///
    /// # Errors
    /// [`Error::Op`] if there are none, or their types or other axes differ.
    pub fn concat_rows(parts: &[&Self]) -> Result<Self> {
        let wrong = || Error::op("concat", "the parts do not fit each other");
        let (first, others) = parts.split_first().ok_or_else(wrong)?;
        let (mut shape, mut data) = (first.shape.clone(), first.data.clone());
        for part in others {
            if part.shape.get(1..) != shape.get(1..) || !data.extend(&part.data) {
                return Err(wrong());
            }
            match (shape.first_mut(), part.shape.first()) {
                (Some(n), Some(m)) => *n += m,
                _ => return Err(wrong()),
            }
        }
        Self::from_data(shape, data)
    }
}
