//! A bin for each text or number, by its hash.

use keras_model::DType;

use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single};
use crate::graph::{Builder, Value};
use crate::kernels::hash;
use crate::tensor::{Slice, View, out};
use crate::{Error, Result};

/// `y = hash(x) mod bins`, element by element; numbers are hashed as their decimal text.
///
/// # Shapes
/// `x` of strings or `int64` to `int64` of the same shape.
///
/// # Source
/// `Hashing` of Keras 3, `tf.strings.to_hash_bucket_fast` and `to_hash_bucket_strong`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HashBucket {
    pub(crate) bins: u64,
    /// Keys of `SipHash`; without them `FarmHash`.
    pub(crate) key: Option<[u64; 2]>,
    /// A text that has bin 0 for itself.
    pub(crate) mask: Option<String>,
}

impl HashBucket {
    /// The bin of a text.
    pub(super) fn bin(&self, text: &str) -> i64 {
        let masked = self.mask.is_some() && self.bins > 1;
        if masked && self.mask.as_deref() == Some(text) {
            return 0;
        }
        let bins = if masked { self.bins - 1 } else { self.bins };
        let hash = match self.key {
            Some(key) => hash::sip(key, text.as_bytes()),
            None => hash::farm(text.as_bytes()),
        };
        (hash % bins.max(1)) as i64 + i64::from(masked)
    }
}

impl Operator for HashBucket {
    const NAME: &'static str = "hash_bucket";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if !matches!(x.dtype, DType::String | DType::Int64) {
            return Err(Error::op(Self::NAME, format!("cannot hash {}", x.dtype)));
        }
        Ok(vec![Spec::new(x.shape.clone(), DType::Int64)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let y = out::<i64>(&mut y.data, Self::NAME)?;
        match x.data {
            Slice::String(x) => y.iter_mut().zip(x).for_each(|(y, x)| *y = self.bin(x)),
            _ => {
                let x = x.of::<i64>(Self::NAME)?;
                y.iter_mut().zip(x).for_each(|(y, x)| *y = self.bin(&x.to_string()));
            }
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

#[test]
fn a_masked_text_has_bin_0() {
    let x = crate::Tensor::new([2], vec!["A".to_owned(), String::new()]).unwrap();
    let op = HashBucket { bins: 3, key: None, mask: Some(String::new()) };
    let y = super::run(op, &[x]).unwrap();
    assert_eq!(y.as_slice::<i64>().unwrap()[1], 0);
}
