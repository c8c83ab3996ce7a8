//! `and`, `or`, `xor` of truth values; `not` is `xor` with true.

use keras_model::DType;

use super::binary::zip;
use super::{Gradient, Operator, Out, Spec, Types, broadcast, inputs, nothing, single};
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// How two truth values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connective {
    And,
    Or,
    Xor,
}

/// `y = a ? b`, element by element.
///
/// # Shapes
/// `a` and `b` of `bool` to the shape both broadcast to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Logic(pub(crate) Connective);

impl Operator for Logic {
    const NAME: &'static str = "logic";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [a, b] = inputs(Self::NAME, x)?;
        if a.dtype != DType::Bool || b.dtype != DType::Bool {
            return Err(Error::op(Self::NAME, "takes bool"));
        }
        Ok(vec![Spec::new(broadcast(Self::NAME, &a.shape, &b.shape)?, DType::Bool)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([a, b], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let shapes = (a.shape, b.shape, y.shape);
        let (a, b) = (a.of::<bool>(Self::NAME)?, b.of::<bool>(Self::NAME)?);
        let y = out::<bool>(&mut y.data, Self::NAME)?;
        match self.0 {
            Connective::And => zip(shapes, a, b, y, |a, b| a & b),
            Connective::Or => zip(shapes, a, b, y, |a, b| a | b),
            Connective::Xor => zip(shapes, a, b, y, |a, b| a ^ b),
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
