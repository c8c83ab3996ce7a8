//! One array of a file.

use bytes::Bytes;
use hdf5_lite::{
    Array, ByteOrder, Dataset, Datatype, FloatingPoint, GroupMut, Normalization, OpaqueType,
};
use serde::{Serialize, Serializer};

use crate::{DType, Error, Result};

/// An array under its name in the file; its elements stay there until they are asked for.
#[derive(Clone, Debug)]
pub struct StoredWeight {
    /// `dense/kernel:0` in a legacy file, `/layers/dense/vars/0` in a weights file.
    pub name: String,
    /// The HDF5 dataset.
    pub dataset: Dataset,
}

impl StoredWeight {
    /// Its element type under Keras's name; `None` for what no weight is stored in.
    pub fn dtype(&self) -> Option<DType> {
        Some(match self.dataset.datatype() {
            Datatype::FloatingPoint(t) => match (t.size, t.exponent_size) {
                (4, _) => DType::Float32,
                (8, _) => DType::Float64,
                (2, 5) => DType::Float16,
                (2, 8) => DType::BFloat16,
                (1, 4) => DType::Float8E4M3Fn,
                (1, 5) => DType::Float8E5M2,
                _ => return None,
            },
            Datatype::FixedPoint(t) => match (t.size, t.signed) {
                (1, true) => DType::Int8,
                (2, true) => DType::Int16,
                (4, true) => DType::Int32,
                (8, true) => DType::Int64,
                (1, false) => DType::UInt8,
                (2, false) => DType::UInt16,
                (4, false) => DType::UInt32,
                (8, false) => DType::UInt64,
                _ => return None,
            },
            t if t.is_bool() => DType::Bool,
            // Types that HDF5 has not are stored as bytes. Keras 3's weights files have their name
            // beside them; legacy files have not, and only bfloat16 takes two bytes.
            Datatype::Opaque(t) => match self.dataset.find_attr("dtype").ok()? {
                Some(name) => DType::from_name(&name.string().ok()?)?,
                None if t.size == 2 => DType::BFloat16,
                None => return None,
            },
            t if t.is_string() => DType::String,
            _ => return None,
        })
    }

    /// Puts an array under `path` below `group`, as h5py stores it for Keras. What
    /// [`dtype`](Self::dtype) reads again. The elements are not copied.
    pub(crate) fn write(
        group: &mut GroupMut<'_, '_>,
        path: &str,
        dtype: DType,
        shape: &[usize],
        elements: Bytes,
    ) -> Result<()> {
        let dims: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
        let datatype = datatype(dtype).ok_or_else(|| {
            Error::CannotSave(format!("{path:?} holds {dtype}, which no file of Keras holds"))
        })?;
        let is_opaque = matches!(datatype, Datatype::Opaque(_));
        let array = Array::shared(dims, datatype, elements);
        let mut dataset = group.dataset(path, array).map_err(Error::hdf5(path))?;
        if is_opaque {
            dataset.set_attr("dtype", dtype.name()).map_err(Error::hdf5(path))?;
        }
        Ok(())
    }

    /// The elements as they are in the file, in the byte order of the machine.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken there.
    pub fn bytes(&self) -> Result<Bytes> {
        self.dataset.bytes().map_err(Error::hdf5(self.name.as_str()))
    }
}

/// The HDF5 type of elements in the byte order of the machine.
fn datatype(dtype: DType) -> Option<Datatype> {
    // NumPy has no name for these: bytes that h5py takes for no numbers.
    let opaque = |size| Datatype::Opaque(OpaqueType { size, tag: Vec::new() });
    Some(match dtype {
        DType::Float16 => Datatype::FloatingPoint(FloatingPoint {
            size: 2,
            order: ByteOrder::NATIVE,
            offset: 0,
            precision: 16,
            sign: 15,
            exponent: 10,
            exponent_size: 5,
            mantissa: 0,
            mantissa_size: 10,
            bias: 15,
            normalization: Normalization::Implied,
        }),
        DType::BFloat16 => opaque(2),
        DType::Float8E4M3Fn | DType::Float8E5M2 => opaque(1),
        DType::Float32 => Datatype::of::<f32>(),
        DType::Float64 => Datatype::of::<f64>(),
        DType::Int4 | DType::Int8 => Datatype::of::<i8>(),
        DType::Int16 => Datatype::of::<i16>(),
        DType::Int32 => Datatype::of::<i32>(),
        DType::Int64 => Datatype::of::<i64>(),
        DType::UInt8 => Datatype::of::<u8>(),
        DType::UInt16 => Datatype::of::<u16>(),
        DType::UInt32 => Datatype::of::<u32>(),
        DType::UInt64 => Datatype::of::<u64>(),
        DType::Bool => Datatype::boolean(),
        DType::String | DType::Complex64 | DType::Complex128 => return None,
    })
}

/// Its name, shape and type.
impl Serialize for StoredWeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("StoredWeight", 3)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("shape", self.dataset.shape())?;
        out.serialize_field("dtype", &self.dtype())?;
        out.end()
    }
}
