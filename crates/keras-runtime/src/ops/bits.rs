//! The bytes of numbers as numbers of another type.

use half::{bf16, f16};
use keras_model::DType;

use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single};
use crate::graph::{Builder, Value};
use crate::tensor::{Slice, SliceMut, View};
use crate::{Error, Result};

/// Every type of numbers.
macro_rules! numbers_of {
    ($each:ident) => {
        $each!(
            Float16(f16),
            BFloat16(bf16),
            Float32(f32),
            Float64(f64),
            Int8(i8),
            Int16(i16),
            Int32(i32),
            Int64(i64),
            UInt8(u8),
            UInt16(u16),
            UInt32(u32),
            UInt64(u64)
        )
    };
}
/// The same bytes, lowest first, as another type.
///
/// # Shapes
/// That of `x`; the last axis becomes longer or shorter where the size of an element does.
///
/// # Errors
/// [`Error::Op`] for strings and `bool`, or if the last axis is no whole number of elements.
///
/// # Source
/// `keras.ops.view(x, dtype)`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bits {
    pub(crate) dtype: DType,
}

impl Operator for Bits {
    const NAME: &'static str = "view";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let wrong =
            || Error::op(Self::NAME, format!("{:?} of {} as {}", x.shape, x.dtype, self.dtype));
        if [x.dtype, self.dtype].iter().any(|t| matches!(t, DType::String | DType::Bool)) {
            return Err(wrong());
        }
        let mut shape = x.shape.clone();
        if x.dtype.size() != self.dtype.size() {
            let last = shape.last_mut().ok_or_else(wrong)?;
            let bytes = last.checked_mul(x.dtype.size()).ok_or_else(wrong)?;
            let fits = bytes.checked_rem(self.dtype.size()) == Some(0);
            *last = bytes.checked_div(self.dtype.size()).filter(|_| fits).ok_or_else(wrong)?;
        }
        Ok(vec![Spec::new(shape, self.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let bytes = bytes(x.data);
        macro_rules! each {
            ($($variant:ident($type:ty)),*) => {
                match &mut y.data {
                    $(SliceMut::$variant(y) => {
                        for (y, part) in y.iter_mut().zip(bytes.chunks_exact(size_of::<$type>())) {
                            if let Ok(part) = part.try_into() {
                                *y = <$type>::from_le_bytes(part);
                            }
                        }
                    })*
                    SliceMut::Bool(_) | SliceMut::String(_) => {}
                }
            };
        }
        numbers_of!(each);
        Ok(())
    }

    /// As TensorFlow: nothing comes back through bytes.
    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        nothing(x)
    }
}

fn bytes(x: Slice<'_>) -> Vec<u8> {
    macro_rules! each {
        ($($variant:ident($type:ty)),*) => {
            match x {
                $(Slice::$variant(x) => x.iter().flat_map(|v| <$type>::to_le_bytes(*v)).collect(),)*
                Slice::Bool(_) | Slice::String(_) => Vec::new(),
            }
        };
    }
    numbers_of!(each)
}

#[test]
fn there_and_back() {
    let x = crate::Tensor::new([1, 2], vec![1.0_f32, -2.5]).unwrap();
    let bytes = super::run(Bits { dtype: DType::UInt8 }, std::slice::from_ref(&x)).unwrap();
    assert_eq!((bytes.shape(), bytes.as_slice::<u8>().unwrap()[3]), (&[1, 8][..], 0x3f));
    assert_eq!(
        super::run(Bits { dtype: DType::Float32 }, std::slice::from_ref(&bytes)).unwrap(),
        x
    );
    let odd = crate::Tensor::new([1, 3], vec![0_u8; 3]).unwrap();
    assert!(Bits { dtype: DType::Int16 }.output(&[Spec::new(odd.shape(), odd.dtype())]).is_err());
}
