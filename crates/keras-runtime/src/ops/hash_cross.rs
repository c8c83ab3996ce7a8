//! A bin for each combination of values, by their hashes.

use keras_model::DType;

use super::{Gradient, Operator, Out, Spec, Types, nothing, single};
use crate::graph::{Builder, Value};
use crate::kernels::hash;
use crate::tensor::{Slice, View, out};
use crate::{Error, Result};

/// The key that TensorFlow starts from.
const KEY: u64 = 0x00de_cafc_affe;

/// `y = hash(x0, x1..) mod bins`, element by element.
///
/// # Shapes
/// Tensors of one shape, of strings or `int64`, to `int64` of that shape.
///
/// # Source
/// `HashedCrossing` of Keras 3, `tf.sparse.cross_hashed`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HashCross {
    pub(crate) bins: u64,
}

impl Operator for HashCross {
    const NAME: &'static str = "hash_cross";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let Some(first) = x.first() else { return Err(Error::op(Self::NAME, "takes inputs")) };
        for x in x {
            if !matches!(x.dtype, DType::String | DType::Int64) || x.shape != first.shape {
                return Err(Error::op(Self::NAME, format!("{x:?} does not fit {first:?}")));
            }
        }
        Ok(vec![Spec::new(first.shape.clone(), DType::Int64)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let y = single(Self::NAME, y)?;
        for (i, y) in out::<i64>(&mut y.data, Self::NAME)?.iter_mut().enumerate() {
            let mut joined = KEY;
            for x in x {
                let hash = match x.data {
                    Slice::String(x) => hash::farm(x[i].as_bytes()),
                    _ => x.of::<i64>(Self::NAME)?[i].cast_unsigned(),
                };
                joined = hash::join(joined, hash);
            }
            *y = (joined % self.bins.max(1)).cast_signed();
        }
        Ok(())
    }

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
