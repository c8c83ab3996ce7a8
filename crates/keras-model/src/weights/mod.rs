//! The weights of a model: names, shapes and the bytes of the file behind them.

mod bind;
pub(crate) mod legacy;
pub(crate) mod paths;
pub(crate) mod slots;
mod stored;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hdf5_lite::GroupMut;
use serde::Serialize;

pub(crate) use bind::Binding;
pub use bind::Finding;
use slots::Owner;
pub use stored::{KernelForm, Recipe, StoredForm};

use crate::source::StoredWeight;
use crate::variables::VariableSpec;
use crate::{DType, Error, Result};

/// One variable of a loaded model.
#[derive(Clone, Debug)]
pub struct Weight {
    /// Keras 3's path: `dense/kernel`, `lstm/lstm_cell/bias`.
    pub path: String,
    /// Its layer: names from the outside in, `encoder/lstm/lstm_cell`.
    pub layer: String,
    /// Its own name: `kernel`.
    pub name: String,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Element type in the model; the file's may be another one.
    pub dtype: DType,
    /// Whether training changes it: its own flag, its layer's, and those of all that hold the layer.
    pub trainable: bool,
    pub(crate) data: Data,
}

/// Where the elements of a weight are.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// In the file as they are.
    Stored(StoredWeight),
    /// In arrays of the file that an old version laid out otherwise.
    Rearranged(Arc<(Vec<StoredWeight>, Recipe)>),
    /// With the caller, in the element type of the model.
    Given(Bytes),
    /// Nowhere: each byte is this.
    Absent(u8),
}

impl Weight {
    pub(crate) fn new(owner: &Owner, spec: &VariableSpec, data: Data) -> Self {
        Self {
            path: owner.path_of(spec),
            layer: owner.path.clone(),
            name: spec.name.clone(),
            shape: spec.shape.clone(),
            dtype: spec.dtype,
            trainable: owner.trainable && spec.trainable,
            data,
        }
    }

    /// The same variable with other elements: little-endian, row-major, of its type
    /// [`dtype`](Self::dtype).
    ///
    /// ```
    /// let model = keras_model::load_model("../../fixtures/models/k3_mlp.h5")?;
    /// let bias = model.weight("dense/bias")?;
    /// let zeros = bias.with_bytes(vec![0; bias.byte_len()])?;
    /// assert!(zeros.to_f32()?.iter().all(|v| *v == 0.0));
    /// # Ok::<(), keras_model::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Weights`] if they are more or fewer.
    pub fn with_bytes(&self, bytes: impl Into<Bytes>) -> Result<Self> {
        let (bytes, expected) = (bytes.into(), self.byte_len());
        if bytes.len() != expected {
            let (path, found) = (&self.path, bytes.len());
            return Err(Error::Weights(vec![format!(
                "{path:?} takes {expected} bytes, not {found}"
            )]));
        }
        Ok(Self { data: Data::Given(bytes), ..self.clone() })
    }

    /// A number that belongs to no layer.
    pub(crate) fn scalar(name: &str, dtype: DType, bytes: Vec<u8>) -> Self {
        Self {
            path: name.to_owned(),
            layer: String::new(),
            name: name.to_owned(),
            shape: Vec::new(),
            dtype,
            trainable: false,
            data: Data::Given(bytes.into()),
        }
    }

    /// Puts it under `path` below `group`.
    pub(crate) fn write(&self, group: &mut GroupMut<'_, '_>, path: &str) -> Result<()> {
        let dtype = self.stored_dtype().unwrap_or(self.dtype);
        StoredWeight::write(group, path, dtype, &self.shape, self.bytes()?)
    }

    /// Whether no file has it and nobody gave it.
    pub const fn is_absent(&self) -> bool {
        matches!(self.data, Data::Absent(_))
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |n, d| n.saturating_mul(*d))
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the elements take in the model.
    pub fn byte_len(&self) -> usize {
        // Two `int4` values share a byte only where Keras packs them, and then the shape says it.
        self.len().saturating_mul(self.dtype.size())
    }

    /// The arrays of the file that this weight comes from: one, or several for old layouts, or
    /// none where the file has none.
    pub fn stored(&self) -> &[StoredWeight] {
        match &self.data {
            Data::Stored(array) => std::slice::from_ref(array),
            Data::Rearranged(parts) => &parts.0,
            Data::Given(_) | Data::Absent(_) => &[],
        }
    }

    /// Element type in the file; `None` where the file has no array, or one of another kind.
    pub fn stored_dtype(&self) -> Option<DType> {
        self.stored().first().and_then(StoredWeight::dtype)
    }

    /// The elements as they are in the file, little-endian, of type [`stored_dtype`](Self::stored_dtype):
    /// a part of the mapped file where it stores them in one piece, decoded bytes otherwise.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken there.
    pub fn bytes(&self) -> Result<Bytes> {
        match &self.data {
            Data::Stored(array) => array.bytes(),
            Data::Rearranged(parts) => {
                let (arrays, recipe) = parts.as_ref();
                let bytes: Vec<Bytes> =
                    arrays.iter().map(StoredWeight::bytes).collect::<Result<_>>()?;
                let shape = |a: &StoredWeight| {
                    a.dataset.shape().iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect()
                };
                let parts: Vec<(&[u8], Vec<usize>)> =
                    bytes.iter().zip(arrays).map(|(b, a)| (b.as_ref(), shape(a))).collect();
                let size = self.stored_dtype().map_or(1, DType::size);
                Ok(recipe.apply(&parts, size).into())
            }
            Data::Given(bytes) => Ok(bytes.clone()),
            Data::Absent(byte) => Ok(vec![*byte; self.byte_len()].into()),
        }
    }

    /// The elements as `f32`, row-major; borrowed from the mapped file where they stand there as
    /// such and aligned.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken there, [`Error::Weights`] if they are no numbers.
    pub fn to_f32(&self) -> Result<Cow<'_, [f32]>> {
        if let Data::Stored(array) = &self.data
            && array.dtype() == Some(DType::Float32)
        {
            return array.dataset.read().map_err(Error::hdf5(self.path.as_str()));
        }
        let from = self.stored_dtype().unwrap_or(self.dtype);
        convert::<f32>(from, &self.bytes()?, &self.path).map(Cow::Owned)
    }

    /// The elements as `f64`, row-major.
    ///
    /// # Errors
    /// As [`to_f32`](Self::to_f32).
    pub fn to_f64(&self) -> Result<Vec<f64>> {
        let from = self.stored_dtype().unwrap_or(self.dtype);
        convert::<f64>(from, &self.bytes()?, &self.path)
    }
}

/// An array of a file as it is there, bound to nothing.
impl From<&StoredWeight> for Weight {
    fn from(array: &StoredWeight) -> Self {
        let (layer, name) = array.name.rsplit_once('/').unwrap_or(("", &array.name));
        let shape = array.dataset.shape().iter();
        Self {
            path: array.name.clone(),
            layer: layer.to_owned(),
            name: name.to_owned(),
            shape: shape.map(|d| usize::try_from(*d).unwrap_or(usize::MAX)).collect(),
            dtype: array.dtype().unwrap_or(DType::UInt8),
            trainable: true,
            data: Data::Stored(array.clone()),
        }
    }
}

/// Little-endian elements of type `from` as floats.
fn convert<T: FromNumber>(from: DType, bytes: &[u8], path: &str) -> Result<Vec<T>> {
    macro_rules! numbers {
        ($type:ty) => {
            Ok(bytes
                .as_chunks::<{ size_of::<$type>() }>()
                .0
                .iter()
                .map(|b| T::number(<$type>::from_le_bytes(*b)))
                .collect())
        };
    }
    match from {
        DType::Float32 => numbers!(f32),
        DType::Float64 => numbers!(f64),
        DType::Float16 => numbers!(half::f16),
        DType::BFloat16 => numbers!(half::bf16),
        DType::Int8 | DType::Int4 => numbers!(i8),
        DType::Int16 => numbers!(i16),
        DType::Int32 => numbers!(i32),
        DType::Int64 => numbers!(i64),
        DType::UInt8 | DType::Bool => numbers!(u8),
        DType::UInt16 => numbers!(u16),
        DType::UInt32 => numbers!(u32),
        DType::UInt64 => numbers!(u64),
        _ => Err(Error::Weights(vec![format!("{path:?} holds {from}, not numbers")])),
    }
}

/// A float type that every element type converts to.
trait FromNumber {
    fn number<N: num_traits::AsPrimitive<f64> + num_traits::AsPrimitive<f32>>(number: N) -> Self;
}

impl FromNumber for f32 {
    fn number<N: num_traits::AsPrimitive<f64> + num_traits::AsPrimitive<f32>>(number: N) -> Self {
        number.as_()
    }
}

impl FromNumber for f64 {
    fn number<N: num_traits::AsPrimitive<f64> + num_traits::AsPrimitive<f32>>(number: N) -> Self {
        number.as_()
    }
}

/// Name, shape and type; not the elements.
impl Serialize for Weight {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Weight", 6)?;
        let stored: Vec<&str> = self.stored().iter().map(|s| s.name.as_str()).collect();
        out.serialize_field("path", &self.path)?;
        out.serialize_field("layer", &self.layer)?;
        out.serialize_field("shape", &self.shape)?;
        out.serialize_field("dtype", &self.dtype)?;
        out.serialize_field("trainable", &self.trainable)?;
        out.serialize_field("stored", &stored)?;
        out.end()
    }
}
