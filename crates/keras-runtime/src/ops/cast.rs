//! Another element type for the same values.

use half::{bf16, f16};
use keras_model::DType;

use super::{Gradient, Operator, Out, Spec, Types, inputs, single, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{Slice, SliceMut, View};
use crate::{Error, Result};

/// `y = x` in another element type: floats are rounded, integers wrap around, `bool` is whether a
/// number is not 0.
///
/// # Source
/// `keras.ops.cast(x, dtype)`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cast {
    pub(crate) dtype: DType,
}

impl Operator for Cast {
    const NAME: &'static str = "cast";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        let text = |dtype| dtype == DType::String;
        if (text(x.dtype) || text(self.dtype)) && x.dtype != self.dtype {
            return Err(Error::op(Self::NAME, format!("{} is not {}", x.dtype, self.dtype)));
        }
        if crate::Data::zeros(self.dtype, 0).is_none() {
            return Err(Error::op(Self::NAME, format!("tensors of {} are unknown", self.dtype)));
        }
        Ok(vec![Spec::new(x.shape.clone(), self.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        cast(x.data, &mut y.data);
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        // Whole numbers have no slope.
        let dtype = b.dtype(x[0]);
        let is_smooth = dtype.is_float() && self.dtype.is_float();
        let dx = is_smooth.then(|| b.cast(upstream(Self::NAME, dy)?, dtype));
        Ok(vec![dx.transpose()?])
    }
}

/// Casts the elements of `x` to the type of `y`.
pub(super) fn cast(x: Slice<'_>, y: &mut SliceMut<'_>) {
    match x {
        Slice::Float32(x) => from(x, |v| v as f64, |v| v as i64, |v| v, y),
        Slice::Float64(x) => from(x, |v| v, |v| v as i64, |v| v as f32, y),
        Slice::Float16(x) => {
            from(x, f16::to_f64, |v| v.to_f64() as i64, f16::to_f32, y);
        }
        Slice::BFloat16(x) => {
            from(x, bf16::to_f64, |v| v.to_f64() as i64, bf16::to_f32, y);
        }
        Slice::Int8(x) => from(x, |v| v as f64, |v| v as i64, |v| v as f32, y),
        Slice::Int16(x) => from(x, |v| v as f64, |v| v as i64, |v| v as f32, y),
        Slice::Int32(x) => from(x, |v| v as f64, |v| v as i64, |v| v as f32, y),
        Slice::Int64(x) => from(x, |v| v as f64, |v| v, |v| v as f32, y),
        Slice::UInt8(x) => from(x, |v| v as f64, |v| v as i64, |v| v as f32, y),
        Slice::UInt16(x) => from(x, |v| v as f64, |v| v as i64, |v| v as f32, y),
        Slice::UInt32(x) => from(x, |v| v as f64, |v| v as i64, |v| v as f32, y),
        Slice::UInt64(x) => from(x, |v| v as f64, |v| v as i64, |v| v as f32, y),
        Slice::Bool(x) => {
            let number = |v: bool| if v { 1.0 } else { 0.0 };
            from(x, number, i64::from, |v| if v { 1.0 } else { 0.0 }, y);
        }
        Slice::String(x) => {
            if let SliceMut::String(y) = y {
                y.clone_from_slice(x);
            }
        }
    }
}

/// Casts by way of the widest type of the kind.
fn from<T: Copy>(
    x: &[T],
    wide: impl Fn(T) -> f64,
    whole: impl Fn(T) -> i64,
    single: impl Fn(T) -> f32,
    y: &mut SliceMut<'_>,
) {
    fn each<T: Copy, U>(x: &[T], y: &mut [U], f: impl Fn(T) -> U) {
        for (x, y) in x.iter().zip(y) {
            *y = f(*x);
        }
    }
    match y {
        SliceMut::Float32(y) => each(x, y, single),
        SliceMut::Float64(y) => each(x, y, wide),
        SliceMut::Float16(y) => each(x, y, |v| f16::from_f64(wide(v))),
        SliceMut::BFloat16(y) => each(x, y, |v| bf16::from_f64(wide(v))),
        SliceMut::Int8(y) => each(x, y, |v| whole(v) as i8),
        SliceMut::Int16(y) => each(x, y, |v| whole(v) as i16),
        SliceMut::Int32(y) => each(x, y, |v| whole(v) as i32),
        SliceMut::Int64(y) => each(x, y, whole),
        SliceMut::UInt8(y) => each(x, y, |v| whole(v) as u8),
        SliceMut::UInt16(y) => each(x, y, |v| whole(v) as u16),
        SliceMut::UInt32(y) => each(x, y, |v| whole(v) as u32),
        SliceMut::UInt64(y) => each(x, y, |v| whole(v) as u64),
        SliceMut::Bool(y) => each(x, y, |v| wide(v) != 0.0),
        SliceMut::String(_) => {}
    }
}
