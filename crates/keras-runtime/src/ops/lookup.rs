//! The place of a text or a number in a vocabulary.

use std::collections::HashMap;
use std::sync::Arc;

use keras_model::DType;

use super::{Gradient, HashBucket, Operator, Out, Spec, Types, inputs, nothing, single};
use crate::graph::{Builder, Value};
use crate::tensor::{Slice, View, out};
use crate::{Error, Result};

/// What happens to a token that is not in the vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unknown {
    /// It is an error.
    Error,
    /// It has this place.
    Place(i64),
    /// Its place is `start + x mod n` for a number `x`.
    Modulo { start: i64, n: i64 },
    /// Its place is found by its hash.
    Hash { start: i64, hash: HashBucket },
}

/// Places by token; numbers are there as their decimal text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vocabulary {
    pub(crate) places: HashMap<String, i64>,
    pub(crate) unknown: Unknown,
}

impl Vocabulary {
    /// The place of a token.
    pub(super) fn place(&self, token: &str) -> Result<i64> {
        if let Some(place) = self.places.get(token) {
            return Ok(*place);
        }
        let missing = || Error::Value(format!("{token:?} is not in the vocabulary"));
        match &self.unknown {
            Unknown::Error => Err(missing()),
            Unknown::Place(place) => Ok(*place),
            Unknown::Modulo { start, n } => {
                let number: i64 = token.parse().map_err(|_| missing())?;
                Ok(start + number.rem_euclid((*n).max(1)))
            }
            Unknown::Hash { start, hash } => Ok(start + hash.bin(token)),
        }
    }
}

/// `y = place of x`, element by element.
///
/// # Shapes
/// `x` of strings or `int64` to `int64` of the same shape.
///
/// # Errors
/// [`Error::Value`] for a token that is not in a vocabulary without places for unknown ones.
///
/// # Source
/// `StringLookup`, `IntegerLookup` of Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lookup {
    pub(crate) vocabulary: Arc<Vocabulary>,
}

impl Operator for Lookup {
    const NAME: &'static str = "lookup";
    const TYPES: Types = Types::Numbers;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if !matches!(x.dtype, DType::String | DType::Int64) {
            return Err(Error::op(Self::NAME, format!("cannot look up {}", x.dtype)));
        }
        Ok(vec![Spec::new(x.shape.clone(), DType::Int64)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let y = out::<i64>(&mut y.data, Self::NAME)?;
        match x.data {
            Slice::String(x) => {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = self.vocabulary.place(x)?;
                }
            }
            _ => {
                for (y, x) in y.iter_mut().zip(x.of::<i64>(Self::NAME)?) {
                    *y = self.vocabulary.place(&x.to_string())?;
                }
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
