//! The order of the elements.

use keras_model::DType;

use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// For each row the places of its elements in rising (falling) order, as `int64`. Equal elements
/// keep their order, NaN is the largest.
///
/// # Shapes
/// `x: [.., n]` to the same.
///
/// # Source
/// `keras.ops.argsort(x)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ArgSort {
    pub(crate) descending: bool,
}

impl Operator for ArgSort {
    const NAME: &'static str = "argsort";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if x.shape.is_empty() {
            return Err(Error::op(Self::NAME, "a scalar has no order"));
        }
        Ok(vec![Spec::new(x.shape.clone(), DType::Int64)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        numbers!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, y))
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

impl ArgSort {
    fn run<T: Number>(self, x: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let n = x.shape.last().copied().unwrap_or(1).max(1);
        let x = x.of::<T>(Self::NAME)?;
        let y = out::<i64>(&mut y.data, Self::NAME)?;
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            y.iter_mut().enumerate().for_each(|(i, y)| *y = i as i64);
            y.sort_by(|a, b| {
                let order = x[*a as usize].order(x[*b as usize]);
                if self.descending { order.reverse() } else { order }
            });
        }
        Ok(())
    }
}
