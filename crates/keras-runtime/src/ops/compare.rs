//! Comparisons of two tensors, element by element.

use keras_model::DType;

use super::binary::zip;
use super::{Gradient, Operator, Out, Spec, Types, broadcast, inputs, nothing, single, size};
use crate::graph::{Builder, Value};
use crate::tensor::{Slice, View, out};
use crate::{Error, Result};

/// How two elements are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// `y = a ? b` as `bool`, element by element.
///
/// # Shapes
/// `a` and `b` to the shape both broadcast to. Both of one type, strings only for equality.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compare(pub(crate) Relation);

impl Operator for Compare {
    const NAME: &'static str = "compare";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [a, b] = inputs(Self::NAME, x)?;
        if a.dtype != b.dtype {
            return Err(Error::op(Self::NAME, format!("{} and {} differ", a.dtype, b.dtype)));
        }
        Ok(vec![Spec::new(broadcast(Self::NAME, &a.shape, &b.shape)?, DType::Bool)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([a, b], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let shapes = (a.shape, b.shape, y.shape);
        let y = out::<bool>(&mut y.data, Self::NAME)?;
        macro_rules! each {
            ($($variant:ident),*) => {
                match (a.data, b.data) {
                    $((Slice::$variant(a), Slice::$variant(b)) => match self.0 {
                        Relation::Equal => zip(shapes, a, b, y, |a, b| a == b),
                        Relation::NotEqual => zip(shapes, a, b, y, |a, b| a != b),
                        Relation::Less => zip(shapes, a, b, y, |a, b| a < b),
                        Relation::LessEqual => zip(shapes, a, b, y, |a, b| a <= b),
                        Relation::Greater => zip(shapes, a, b, y, |a, b| a > b),
                        Relation::GreaterEqual => zip(shapes, a, b, y, |a, b| a >= b),
                    },)*
                    (Slice::String(a), Slice::String(b)) => {
                        let numbers = |n: usize| (0..n).collect::<Vec<usize>>();
                        let (i, j) = (numbers(size(shapes.0)), numbers(size(shapes.1)));
                        let equal = self.0 == Relation::Equal;
                        zip(shapes, &i, &j, y, |i, j| (a[i] == b[j]) == equal);
                    }
                    _ => return Err(Error::op(Self::NAME, "element types differ")),
                }
            };
        }
        each!(
            Float32, Float64, Float16, BFloat16, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32,
            UInt64, Bool
        );
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
